"""Scores to learn from.

In: folders of MIDI, MusicXML and ABC files. Out: sixteen-bar windows of three voices as tokens.
"""
