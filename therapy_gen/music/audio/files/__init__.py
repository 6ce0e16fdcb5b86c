"""Audio files.

In: sound in blocks, and tags. Out: WAV, FLAC, Ogg Vorbis and MP3 files; and back.
"""
