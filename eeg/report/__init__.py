"""The EEG report.

In: scores and a ranking. Out: one HTML page with its pictures.
"""
