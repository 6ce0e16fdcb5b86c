"""Pages about sessions and listeners.

In: what is stored. Out: HTML that needs no network.
"""
