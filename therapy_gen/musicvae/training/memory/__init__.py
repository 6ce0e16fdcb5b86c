"""The memory of a model, made at the end of training.

In: sections of calm music with their pieces. Between: candidates on the plans of those (`section_pairs`,
`section_variations`), a critic that keeps the most realistic ones (`critic`, `section_features`), and the latent points
from which the decoder writes them (`points`). Out: the arrays of a `SectionMemory` (`memory_fit`).
"""
