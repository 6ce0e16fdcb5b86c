"""Measuring music: calmness, valence, tension, register and measures from the literature.

In: notes or tokens. Out: numbers.
"""
