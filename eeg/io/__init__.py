"""Recordings as files: opening them, their channels and units.

In: a path. Out: a `Recording` that gives its samples in volts, piece by piece. The formats stand in `formats.py`.
"""
