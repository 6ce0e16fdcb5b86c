"""Standard MIDI Files.

In: bytes. Out: a `Performance`, and back.
"""
