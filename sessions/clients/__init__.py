"""People and what is kept about them: measures, notes, history, an archive to take away, and being forgotten.

In: the database. Out: plain values, files, and nothing at all where somebody is forgotten.
"""
