"""Shared by all pages and pictures: the base template, styles and plotting in SVG.

In: values. Out: HTML and SVG that need no network. Knows neither music nor EEG nor database.
"""
