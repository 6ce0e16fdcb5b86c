"""From a plan to pieces.

In: planned pieces and a model. Out: pieces as MIDI, with key, tempo, calmness and latent vectors.
"""
