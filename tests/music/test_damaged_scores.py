"""Damaged score files are read or refused in a line, in time."""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_gen.errors import InputError
from therapy_gen.music.corpus.musicxml_prune import DamagedError, PrunedScore, TooMuchError
from therapy_gen.music.corpus.score import read_score
from therapy_gen.music.corpus.windows import WindowSettings, find_windows
from therapy_gen.music.midi.midi import read_performance, to_midi
from therapy_gen.music.notation.transcribe import transcribe
from therapy_gen.music.notation.write_musicxml import to_musicxml
from therapy_gen.music.performance import Note, Part, Performance

TUNE = tuple(Note(n * 0.5, 0.5, 60 + n * 5 % 12, 64) for n in range(64))
PARTS = (Part("Melody", 0, TUNE, pedal=((0.0, 2.0),)), Part("Bass", 0, TUNE[::4]))
PIECE = Performance(PARTS, 60.0, "G major", 34.0, "")
MIDI = to_midi(PIECE, title="Tune")
XML = to_musicxml(transcribe(PIECE, "Tune"))
ABC = b"X:1\nM:4/4\nL:1/8\nK:G\nV:1\n|: G>A (3Bcd [ce]2- | [ce]2 z2 {ag}~d4 :|1 G8 & C8 |2 G8 |]\nV:2\nG,8|Z|x8|G,8|\n"
WORDS = [b"0", b"-1", b"99999999", b"1e9", b"[", b"(9:9:9", b"Z99999", b"\nM:1/128\n", b"<chord/>"]


def damaged(data: bytes, seed: int) -> bytes:
    """Change, drop, double or insert bytes."""
    rng, out = random.Random(seed), bytearray(data)
    for _ in range(rng.choice((1, 2, 5, 20))):
        at = rng.randrange(len(out))
        what = rng.random()
        if what < 0.4:
            out[at] = rng.randrange(256)
        elif what < 0.55:
            del out[at : at + rng.randrange(1, 30)]
        elif what < 0.7:
            out[at:at] = out[rng.randrange(len(out)) :][: rng.randrange(1, 100)]
        else:
            out[at:at] = rng.choice(WORDS)
        out = out or bytearray(b"x")
    return bytes(out)


@pytest.mark.parametrize(("name", "whole"), [("a.mid", MIDI), ("a.abc", ABC)])
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, whole: bytes, seed: int
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(damaged(whole, seed))
    begin = time.perf_counter()
    with contextlib.suppress(InputError):
        find_windows(read_score(path), WindowSettings(shortest_bars=2), Counter())
    if name == "a.mid":
        with contextlib.suppress(InputError):
            read_performance(path.read_bytes())
    assert time.perf_counter() - begin < 10.0


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_musicxml_is_pruned_or_refused(seed: int) -> None:
    with contextlib.suppress(DamagedError, TooMuchError, SyntaxError):
        PrunedScore(io.BytesIO(damaged(XML, seed))).document()
