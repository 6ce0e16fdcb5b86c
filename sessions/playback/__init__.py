"""A session in real time.

In: a stored session. Out: sound, marks on a Lab Streaming Layer stream, and a log of what was heard.
"""
