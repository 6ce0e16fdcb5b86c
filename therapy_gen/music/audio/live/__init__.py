"""Sound for somebody who waits: a timeline from any place at once, its loudness estimated from its notes."""

__all__: list[str] = []
