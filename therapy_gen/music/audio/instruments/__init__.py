"""Instruments: soundfonts, tones of their samples, and synthesised pads."""

__all__: list[str] = []
