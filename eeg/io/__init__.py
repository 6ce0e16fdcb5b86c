"""Recordings as files: opening them, their channels and units.

In: a path. Out: a `Recording` that gives its samples in volts, piece by piece. `formats.py` knows the formats.
"""
