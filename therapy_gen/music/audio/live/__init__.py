"""Rendering with low latency: a timeline from any position at once, with loudness estimated from its notes."""

__all__: list[str] = []
