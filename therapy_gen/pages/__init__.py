"""What every page and picture shares: one base template, one look, one drawer of SVG.

In: values. Out: HTML and SVG that need no network. Knows neither music nor EEG nor database.
"""
