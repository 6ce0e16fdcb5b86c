"""The database.

In and out: plain values of `sessions.records`; SQLAlchemy stays inside.
"""
