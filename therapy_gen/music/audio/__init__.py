"""Sound.

In: MIDI. Out: samples, and files of them.
"""
