"""What plays notes: soundfonts, the tones that their samples give, and pads that are synthesised."""

__all__: list[str] = []
