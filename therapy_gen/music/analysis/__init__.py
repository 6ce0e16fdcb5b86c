"""What music is like: calmness, tension, register and the measures of the literature.

In: notes or tokens. Out: numbers.
"""
