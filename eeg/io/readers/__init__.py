"""One module for each file format, with its `FORMAT` (or `FORMATS`): adding a module here adds the format.

What a format is: `eeg.io.formats.Format`. The modules import neither MNE-Python nor NumPy before a file is opened.
"""
