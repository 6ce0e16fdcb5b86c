"""Choosing the next piece while a session plays."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.needs import needs

needs("mne", "mne is not installed")

from eeg.simulation.file import write_fif
from eeg.simulation.simulate import Listener, simulate
from eeg.timeline.known_pieces import Item
from sessions.export.audio import SAMPLE_RATE, Sound, stream_session
from sessions.storage.library import get_session
from sessions.storage.play_log import log_play
from sessions.storage.store import Store
from therapy_gen.cli.session.record import chosen_while_playing
from therapy_gen.errors import InputError
from therapy_gen.study.adapt import Adaptive, AdaptiveItems, Decision, Yoked

Cli = Any


def make_sessions(database: str) -> None:
    from therapy_gen.cli.main import run

    for words in (("12", "--listener", "ana", "--seed", "4"), ("1", "--seed", "5")):
        assert run(["--quiet", "--db", database, "session", "new", "--minutes", *words]) == 0


@pytest.fixture(scope="module")
def made_sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with two sessions, made once: copy it."""
    path = tmp_path_factory.mktemp("sessions") / "therapy.db"
    make_sessions(str(path))
    return path


@pytest.fixture
def store(home: Path, database: str, made_sessions: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("THERAPY_GEN_DB", database)
    if "://" in database:
        make_sessions(database)
    else:
        shutil.copy(made_sessions, database)
    return Store.open(database)


def recorded(store: Store, path: Path, effects: dict[str, float], plays: list[str]) -> None:
    """A recording up to now: silence, then plays of 60 s with silence between."""
    items = [Item("silence", None, 0.0, 60.0)]
    for piece in plays:
        onset = items[-1].onset_s + items[-1].duration_s
        items += [Item("music", piece, onset, 60.0), Item("silence", None, onset + 60.0, 20.0)]
    listener = Listener(effects={piece: (db, 0.0) for piece, db in effects.items()}, drift_db=0.0)
    write_fif(simulate(items, sfreq=250.0, channels=8, listener=listener, seed=1), path, annotate="piece")


def test_what_was_measured_decides(store: Store, tmp_path: Path) -> None:
    session = get_session(store, 1)
    good, *others = [piece.id for piece in session.pieces()]
    path = tmp_path / "rec.fif"
    recorded(store, path, {good: -6.0, **dict.fromkeys(others, 3.0)}, [good, *others] * 2)
    decisions = [Adaptive(store, session, path, seed=seed)(3, others[-1]) for seed in range(4)]
    assert all(decision.measured for decision in decisions)
    assert Counter(decision.piece for decision in decisions).most_common(1)[0] == (good, 4)
    assert decisions[0].p_best is not None
    assert decisions[0].p_best > 0.5


def test_where_nothing_was_measured_chance_decides_and_says_so(store: Store, tmp_path: Path) -> None:
    session = get_session(store, 1)
    chosen = [Adaptive(store, session, tmp_path / "none.fif", seed=seed)(0, None) for seed in range(12)]
    assert not any(decision.measured for decision in chosen)
    assert all(decision.why.startswith("by chance: ") for decision in chosen)
    assert len({decision.piece for decision in chosen}) == len(session.pieces())


def test_a_piece_does_not_follow_itself(store: Store, tmp_path: Path) -> None:
    session = get_session(store, 1)
    for slot, piece in enumerate(session.pieces()):
        assert Adaptive(store, session, tmp_path / "none.fif", seed=1)(slot, piece.id).piece != piece.id


def test_sessions_without_a_choice_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no listener"):
        Adaptive(store, get_session(store, 2), tmp_path / "a.fif", seed=1)


def test_a_yoked_play_follows_the_other(store: Store, tmp_path: Path) -> None:
    session = get_session(store, 1)
    with pytest.raises(InputError, match="never played"):
        Yoked(store, session, 1)
    positions = [item.position for item in session.items if item.piece][::-1]
    stretches = [(position, 100.0 * n, 90.0) for n, position in enumerate(positions)]
    log_play(store, 1, datetime.now(UTC), stretches)
    heard = [session.items[position].piece.id for position in positions]
    items = AdaptiveItems(session, Yoked(store, session, 1), tmp_path / "log.jsonl")
    assert [item.piece.id for item in items if item.piece] == heard
    with pytest.raises(InputError, match="does not hold"):
        Yoked(store, get_session(store, 2), 1)


def test_items_come_as_they_are_chosen_and_are_logged_first(store: Store, tmp_path: Path) -> None:
    session = get_session(store, 1)
    pieces = [piece.id for piece in session.pieces()]
    requested: list[tuple[int, str | None]] = []

    def choose(slot: int, last: str | None) -> Decision:
        requested.append((slot, last))
        return Decision(slot, pieces[(slot + 1) % 2], "test", False)

    log = tmp_path / "log.jsonl"
    given = []
    for item in AdaptiveItems(session, choose, log):
        if item.piece is not None:
            given.append(item.piece.id)
            assert json.loads(log.read_text().splitlines()[-1])["piece"] == item.piece.id
    assert given == [pieces[(slot + 1) % 2] for slot in range(len(given))]
    assert requested == [(0, None), *((slot, given[slot - 1]) for slot in range(1, len(given)))]


@pytest.mark.long
def test_what_is_chosen_plays_over_the_layers_and_without_transitions(
    store: Store, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where chance has it as planned, it sounds as the session does."""
    how = ("--layer", "pink:-12dB", "--transition", "crossfade", "--listener", "ana")
    assert cli("session", "new", "--minutes", "3", "--baseline", "5", "--seed", "6", *how).status == 0
    session = get_session(store, 3)
    starts = np.cumsum([0.0, *(item.duration_s for item in session.items)])
    log_play(store, 3, datetime.now(UTC), [(item.position, starts[n], 1.0) for n, item in enumerate(session.items)])
    chosen = chosen_while_playing(store, session, "yoked:3", tmp_path / "none.fif", Sound().over(session.parameters))
    assert chosen is not None
    assert "nothing sounds between the pieces" in capsys.readouterr().err
    whole = np.concatenate(list(stream_session(store, 3, sound=Sound(transition="silence"))))
    begun = 0
    for (item, blocks), start in zip(zip(chosen.items(), chosen.sounds(), strict=False), starts, strict=False):
        block, at = next(iter(blocks)), round(start * SAMPLE_RATE)
        assert item == session.items[begun]
        assert np.array_equal(block, whole[at : at + len(block)])
        begun += 1
    assert begun == len(session.items)
