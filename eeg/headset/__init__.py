"""Live EEG: headsets, contact quality, and recording into a growing file.

In: a source, ``lsl:NAME`` or ``brainflow:BOARD[:ADDRESS]``, and labels of what is heard. Out: a recording that
`eeg.open_recording` reads, even if it was cut off.
"""
