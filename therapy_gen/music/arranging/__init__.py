"""From tokens to a performance.

In: sections of tokens, a key, a tempo. Out: a `Performance` with chords, cadences and expression.
"""
