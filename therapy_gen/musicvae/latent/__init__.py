"""Geometry of the latent space.

In: latent vectors. Out: interpolations and directions of attributes.
"""
