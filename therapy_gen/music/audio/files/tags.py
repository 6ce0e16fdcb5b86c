"""Tags of an audio file."""

from __future__ import annotations

from dataclasses import dataclass

ARTIST = "therapy-gen"
GENRE = "Ambient"
# The reference level of ReplayGain 2.0.
_REFERENCE_LUFS = -18.0


@dataclass(frozen=True)
class Tags:
    """Tags of an audio file; an empty one is left out.

    Attributes
    ----------
    title, album, artist, genre, comment : str
    date : str
        ``YYYY-MM-DD``.
    track, tracks : int or None
        Its number on the album, and how many there are.
    cover : bytes
        A PNG picture.
    """

    title: str = ""
    album: str = ""
    artist: str = ARTIST
    genre: str = GENRE
    comment: str = ""
    date: str = ""
    track: int | None = None
    tracks: int | None = None
    cover: bytes = b""

    def texts(self) -> dict[str, str]:
        """Return the texts by their names in Vorbis comments."""
        found = {
            "TITLE": self.title,
            "ALBUM": self.album,
            "ARTIST": self.artist,
            "ALBUMARTIST": self.artist if self.album else "",
            "GENRE": self.genre,
            "DATE": self.date,
            "TRACKNUMBER": "" if self.track is None else str(self.track),
            "TRACKTOTAL": "" if self.tracks is None else str(self.tracks),
            "COMMENT": self.comment,
        }
        return {name: value for name, value in found.items() if value}


NO_TAGS = Tags()


def replay_gain(loudness: float, peak: float) -> dict[str, str]:
    """Return the ReplayGain 2.0 tags of a sound of such a loudness (LUFS) and largest sample."""
    if loudness < -70:
        return {}
    return {
        "REPLAYGAIN_TRACK_GAIN": f"{_REFERENCE_LUFS - loudness:.2f} dB",
        "REPLAYGAIN_TRACK_PEAK": f"{peak:.6f}",
        "REPLAYGAIN_REFERENCE_LOUDNESS": f"{_REFERENCE_LUFS:.2f} LUFS",
    }
