"""Calm music from a MusicVAE, arranged into listening sessions."""
