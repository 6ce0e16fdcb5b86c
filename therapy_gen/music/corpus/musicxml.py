"""MusicXML as notes and bar lines in quarter notes, read by partitura from a pruned file."""

from __future__ import annotations

import errno
import io
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from therapy_gen.errors import InputError, MissingExtraError, OutOfBoundsError
from therapy_gen.music.corpus.bounded import BoundedCall
from therapy_gen.music.corpus.musicxml_prune import PrunedScore, open_document
from therapy_gen.music.corpus.notation import DamagedError, Notation, TooMuchError

# Limits on reading, in seconds of processor time: in all, and more for each note.
_SECONDS, _SECONDS_A_NOTE = 8.0, 0.002
_parse = BoundedCall(f"{__name__}:parse")


def read_musicxml(path: Path, velocity: int) -> Notation:
    """Read a MusicXML file, compressed (.mxl) or not; InputError where it is damaged, or larger than any score.

    partitura reads it in a process of its own, with bounds for time and memory.
    """
    if find_spec("partitura") is None:
        raise MissingExtraError(f"{path}: reading MusicXML", "scores")
    try:
        with open_document(path) as stream:
            pruned = PrunedScore(stream)
        seconds = _SECONDS + _SECONDS_A_NOTE * pruned.notes
        found: Notation = _parse(pruned.document(), pruned.movement_ends, velocity, seconds=seconds)
    except TooMuchError as error:
        raise InputError(f"{path} {error}; give a shorter score") from error
    except OutOfBoundsError as error:
        raise InputError(f"{path} takes more time or memory to read than scores do; save it in parts") from error
    except (ElementTree.ParseError, zipfile.BadZipFile, zlib.error, EOFError, UnicodeError) as error:
        raise InputError(f"{path} is not MusicXML that can be read: the file is damaged or of another kind") from error
    except DamagedError as error:
        raise InputError(f"{path} is not MusicXML that can be read: {error}") from error
    except OSError as error:
        # A damaged directory of a .mxl points to a place before its beginning.
        if error.errno != errno.EINVAL:
            raise
        raise InputError(f"{path} is not MusicXML that can be read: the file is damaged or of another kind") from error
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"{path} is not MusicXML that can be read: its bars or notes make no sense; "
            "open it in a notation program and save it anew"
        ) from error
    return found


def parse(document: bytes, movement_ends: list[int], velocity: int) -> Notation:
    """Return what partitura reads in a pruned document.

    Parameters
    ----------
    document : bytes
    movement_ends : list of int
        Bars of the first part that end a movement.
    velocity : int
        Of all notes.
    """
    import partitura
    from partitura import score

    try:
        parts = partitura.load_musicxml(io.BytesIO(document), quiet=True).parts
        return _from_parts(parts, score, movement_ends, velocity)
    except MemoryError:
        raise
    except Exception as error:
        # Its own errors need not be ones that can be sent.
        raise ValueError(str(error)[:200]) from None


def _from_parts(parts: list[Any], notation: Any, movement_ends: list[int], velocity: int) -> Notation:
    found = Notation()
    for number, part in enumerate(parts):
        notes = part.notes_tied
        starts = [note.start.t for note in notes]
        onsets = _quarters(part, starts)
        ends = _quarters(part, [start + note.duration_tied for start, note in zip(starts, notes, strict=True)])
        shifts = [(element.start.t, int(element.chromatic or 0)) for element in part.iter_all(notation.Transposition)]
        for note, start, onset, end in zip(notes, starts, onsets, ends, strict=True):
            shift = next((by for at, by in reversed(shifts) if at <= start), 0)
            if end > onset:
                found.rows.append((onset, end - onset, note.midi_pitch + shift, velocity, number))
        if not found.tempi:
            tempi = list(part.iter_all(notation.Tempo))
            at = _quarters(part, [tempo.start.t for tempo in tempi])
            found.tempi = [(onset, float(tempo.bpm)) for onset, tempo in zip(at, tempi, strict=True)]
    if not parts:
        return found
    first = parts[0]
    measures = sorted(first.iter_all(notation.Measure), key=lambda measure: int(measure.start.t))
    found.bars = _quarters(first, [measure.start.t for measure in measures] + [m.end.t for m in measures[-1:]])
    found.ends = [found.bars[n + 1] for n in movement_ends if n + 2 < len(found.bars)]
    times = list(first.iter_all(notation.TimeSignature))
    at = _quarters(first, [time.start.t for time in times])
    found.metres = [(onset, int(time.beats), int(time.beat_type)) for onset, time in zip(at, times, strict=True)]
    signatures = list(first.iter_all(notation.KeySignature))
    at = _quarters(first, [signature.start.t for signature in signatures])
    found.keys = [(onset, int(signature.fifths)) for onset, signature in zip(at, signatures, strict=True)]
    return found


def _quarters(part: Any, times: list[int]) -> list[float]:
    """Return positions in quarter notes from the first bar, a pick-up included."""
    if not times:
        return []
    places = np.asarray(part.quarter_map(np.array([part.first_point.t, *times])), dtype=np.float64)
    return [float(place) for place in places[1:] - places[0]]
