"""Sound.

In: MIDI. Out: samples, and files of them.
"""

# Sampling frequency of all rendered sound, in Hz.
SAMPLE_RATE = 44100
