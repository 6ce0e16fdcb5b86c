"""Which piece played when.

In: a recording, an events file, or a session with its play log. Out: onset and duration of every play and silence.
"""
