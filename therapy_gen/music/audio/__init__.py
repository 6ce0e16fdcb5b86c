"""Sound.

In: MIDI. Out: samples, and files of them.
"""

# Of all sound that is made, in Hz.
SAMPLE_RATE = 44100
