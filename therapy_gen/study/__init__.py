"""What ties sessions and EEG together: scoring into the database, rankings, and what they say about the next session.

In: a store and recordings. Out: stored scores, rankings, preferences. Knows no command line.
"""
