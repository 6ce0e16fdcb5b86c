"""The model: a hierarchical MusicVAE, its weights, its NumPy runtime and its training."""
