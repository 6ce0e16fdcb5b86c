"""Where new music comes from.

In: a seed and what a section is to be like. Out: latent vectors.
"""
