"""How loud pieces are made; nothing of weight is imported, since help texts read it."""

from __future__ import annotations

TARGET_LUFS = -23.0
"""Every piece is brought to the loudness that EBU R 128 sets for broadcast, unless another is asked for."""

LOUDNESS_LUFS = (-40.0, -10.0)
