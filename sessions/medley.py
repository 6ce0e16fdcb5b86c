"""A whole session as one Standard MIDI File."""

from __future__ import annotations

import io
from collections.abc import Sequence

import mido

# Between pieces the clock runs at one quarter note a second.
_SILENCE_TEMPO = 1_000_000


def join_midi(pieces: Sequence[tuple[float, str, bytes]], *, title: str, duration_s: float) -> bytes:
    """Set pieces one after the other on a common clock.

    Parameters
    ----------
    pieces : sequence of (onset_s, title, midi)
        In order of onset, without overlap.
    title : str
        Of the whole.
    duration_s : float
        When the file ends.

    Returns
    -------
    bytes
        A type 1 file: its first track holds tempi and a marker at each piece, the others the voices.
    """
    files = [mido.MidiFile(file=io.BytesIO(content)) for _, _, content in pieces]
    ticks_per_beat = files[0].ticks_per_beat if files else 480
    joined = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    width = max((len(file.tracks) for file in files), default=1)
    # Absolute ticks: tempi, names and markers apart from what sounds.
    clock: list[tuple[int, mido.MetaMessage]] = [(0, mido.MetaMessage("track_name", name=_latin(title)))]
    voices: list[list[tuple[int, mido.Message]]] = [[] for _ in range(width)]
    now_tick, now_s = 0, 0.0
    for (onset_s, name, _), file in zip(pieces, files, strict=True):
        scale = ticks_per_beat / file.ticks_per_beat
        start = now_tick + round((onset_s - now_s) * ticks_per_beat * 1e6 / _SILENCE_TEMPO)
        clock += [(now_tick, mido.MetaMessage("set_tempo", tempo=_SILENCE_TEMPO))]
        clock += [(start, mido.MetaMessage("marker", text=_latin(name)))]
        end = 0
        for track, voice in zip(file.tracks, voices, strict=False):
            tick = 0
            for message in track:
                tick += message.time
                place = start + round(tick * scale)
                if not message.is_meta:
                    voice.append((place, message))
                elif message.type in ("set_tempo", "time_signature", "key_signature"):
                    clock.append((place, message))
            end = max(end, tick)
        now_tick = start + round(end * scale)
        now_s = onset_s + file.length
    clock += [(now_tick, mido.MetaMessage("set_tempo", tempo=_SILENCE_TEMPO))]
    last = now_tick + max(0, round((duration_s - now_s) * ticks_per_beat * 1e6 / _SILENCE_TEMPO))
    joined.tracks.append(_track(clock, last))
    joined.tracks.extend(_track(voice, last) for voice in voices if voice)
    content = io.BytesIO()
    joined.save(file=content)
    return content.getvalue()


def _track(events: Sequence[tuple[int, mido.Message | mido.MetaMessage]], last: int) -> mido.MidiTrack:
    track = mido.MidiTrack()
    now = 0
    # Sorting keeps the order of events at one tick.
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(last - now, 0)))
    return track


def _latin(text: str) -> str:
    """Return `text` as a MIDI file's text events can hold it."""
    return text.encode("latin-1", "replace").decode("latin-1")
