"""Notation: notes on the grid, bars, key, metre and chord symbols.

In: a `Performance`. Out: a `Sheet`, MusicXML, or the same notes without expression.
"""
