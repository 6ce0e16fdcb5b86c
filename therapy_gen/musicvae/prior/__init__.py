"""The prior: drawing latent vectors for new sections.

In: a seed and the wanted descriptors of a section. Out: latent vectors.
"""
