"""Sessions, pieces and rankings as files.

In: what is stored. Out: audio, MIDI, playlists, cue sheets, tables and BIDS events.
"""
