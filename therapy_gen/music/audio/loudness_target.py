"""The loudness of pieces; imports nothing heavy, since help texts read it."""

from __future__ import annotations

TARGET_LUFS = -23.0
"""The loudness of every piece, as EBU R 128 sets it for broadcast, unless another is requested."""

LOUDNESS_LUFS = (-40.0, -10.0)
