"""Training a model, in Keras.

In: a corpus. Out: a model file.
"""
