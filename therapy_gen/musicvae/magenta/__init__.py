"""Magenta's MusicVAE: its checkpoints in and out, its networks in NumPy, and its own engine."""
