"""EEG made by a model, with known effects.

In: a session and the effects wanted. Out: a recording as a file.
"""
