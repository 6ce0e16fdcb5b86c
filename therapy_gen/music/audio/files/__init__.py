"""Audio files.

In: sound in blocks, and tags. Out: WAV, FLAC, Ogg Vorbis and MP3 files with them. And the other way round.
"""
