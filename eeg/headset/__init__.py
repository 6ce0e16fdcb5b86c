"""EEG as it is recorded: headsets, their contact, and a file that grows.

In: a source, ``lsl:NAME`` or ``brainflow:BOARD[:ADDRESS]``, and labels of what is heard. Out: a recording that
`eeg.open_recording` reads, also where it was cut off.
"""
