"""From an EEG recording to band power for every piece that played, and to a ranking with its uncertainty.

Arrows: recording -> piece windows -> clean windows -> band power -> play scores -> ranking. The package knows neither
database nor command line; MNE-Python is imported when a recording is opened, not before.
"""
