"""The plan of a session, made before a note exists.

In: a request, and pieces heard before. Out: a plan: sections, tempi, keys and silences that fill the time.
"""
