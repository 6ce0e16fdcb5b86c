"""What a session is to be, before a note exists.

In: a request, and pieces heard before. Out: a plan: sections, tempi, keys and silences that fill the time.
"""
