"""Which piece played when: the five ways in their order, and everything that is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import mne
import numpy as np
import pytest

from eeg.errors import TimelineError
from eeg.io.mne import quiet_mne
from eeg.io.recording import open_recording
from eeg.timeline.find_timeline import find_timeline
from eeg.timeline.known_pieces import Item, KnownPiece, KnownSession, Library, LoggedPlay
from eeg.timeline.timeline import Timeline

BEGIN = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)

SESSION = KnownSession(
    "7",
    (
        Item("silence", None, 0.0, 20.0),
        Item("music", "01A", 20.0, 30.0),
        Item("silence", None, 50.0, 5.0),
        Item("music", "01B", 55.0, 30.0),
        Item("silence", None, 85.0, 20.0),
    ),
)
PIECES = {"01A": 30.0, "01B": 30.0}


def find_piece(name: str) -> KnownPiece | None:
    found = [piece for piece in PIECES if piece.startswith(name)]
    return KnownPiece(found[0], PIECES[found[0]]) if len(found) == 1 else None


def library(*log: LoggedPlay) -> Library:
    return Library(find_piece, {"7": SESSION}.get, log)


Marks = list[tuple[float, float, str]]


def record(
    path: Path, marks: Marks = (), *, seconds: float = 140.0, meas_date: datetime | None = None, stim: bool = False
) -> Path:  # type: ignore[assignment]
    """Write two channels of noise with marks; the first stored sample is the 500th acquired."""
    rng = np.random.default_rng(0)
    n = int(seconds * 100)
    names, kinds = ["C3", "C4"], ["eeg", "eeg"]
    samples = 1e-5 * rng.standard_normal((2, n))
    if stim:
        names, kinds = [*names, "STI"], [*kinds, "stim"]
        codes = np.zeros((1, n))
        codes[0, 2000:5000] = 3  # held while the piece plays
        codes[0, 5500:5510] = 4  # a pulse at its start
        codes[0, 9000:9010] = 9
        samples = np.vstack([samples, codes])
    with quiet_mne():
        raw = mne.io.RawArray(samples, mne.create_info(names, 100.0, kinds), first_samp=500)
        raw.set_meas_date(meas_date)
        if marks:
            shift = raw.first_time if meas_date is not None else 0.0
            raw.set_annotations(
                mne.Annotations(
                    [m[0] + shift for m in marks], [m[1] for m in marks], [m[2] for m in marks], orig_time=meas_date
                )
            )
        raw.save(path, overwrite=True)
    return path


def brainvision(folder: Path, markers: list[str], *, seconds: float = 140.0) -> Path:
    """Write two channels of noise at 100 Hz with the lines of a marker file, whose first tells the date."""
    path = folder / "rec.vhdr"
    noise = 10 * np.random.default_rng(0).standard_normal((int(seconds * 100), 2))
    noise.astype("<f4").tofile(folder / "rec.eeg")
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=rec.eeg\n"
        "MarkerFile=rec.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=10000\n\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n"
        "[Channel Infos]\nCh1=C3,,1,µV\nCh2=C4,,1,µV\n",
        encoding="utf-8",
    )
    lines = ["New Segment,,1,1,0,20260701200000000000", *markers]
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile=rec.eeg\n\n"
        "[Marker Infos]\n" + "".join(f"Mk{number}={line}\n" for number, line in enumerate(lines, start=1)),
        encoding="utf-8",
    )
    return path


def eeglab(folder: Path, events: list[tuple[str, int, object]], *, seconds: float = 140.0) -> Path:
    """Write two channels of noise at 100 Hz with events: type, sample from 1, samples that it lasts."""
    from scipy.io import savemat

    noise = 10 * np.random.default_rng(0).standard_normal((2, int(seconds * 100)))
    kinds = np.dtype([(name, object) for name in ("type", "latency", "duration")])
    places = np.array([(name, [], [], []) for name in ("C3", "C4")], [(n, object) for n in ("labels", "X", "Y", "Z")])
    header = {
        "setname": "rec", "nbchan": 2, "trials": 1, "pnts": noise.shape[1], "srate": 100.0, "xmin": 0.0,
        "xmax": seconds, "data": noise, "chanlocs": places, "event": np.array(events, kinds), "epoch": [],
        "ref": "common",
    }  # fmt: skip
    path = folder / "rec.set"
    savemat(path, {"EEG": header}, appendmat=False)
    return path


def plan_of(path: Path, known: Library | None = None, **options: object) -> Timeline:
    with open_recording(path) as recording:
        return find_timeline(recording, known, **options)  # type: ignore[arg-type]


def plays(plan: Timeline) -> list[tuple[str | None, float, float]]:
    return [(item.piece, round(item.onset_s, 2), round(item.duration_s, 2)) for item in plan.plays]


FROM_SESSION_AT_10 = [("01A", 30.0, 30.0), ("01B", 65.0, 30.0)]


@pytest.mark.parametrize("meas_date", [None, BEGIN])
def test_annotations_count_from_the_first_stored_sample(tmp_path: Path, meas_date: datetime | None) -> None:
    path = record(
        tmp_path / "a_raw.fif", [(20, 30, "piece/01A"), (60, 0, "piece/01B"), (95, 5, "silence")], meas_date=meas_date
    )
    plan = plan_of(path, library())
    assert plays(plan) == [("01A", 20.0, 30.0), ("01B", 60.0, 30.0)]
    assert [(round(b.onset_s, 2), round(b.end_s, 2)) for b in plan.baseline] == [
        (1.0, 20.0),
        (95.0, 100.0),
        (100.0, 139.0),
    ]
    assert plan.source.startswith("annotations")


@pytest.mark.parametrize(
    "text", ["piece/01A", "Comment/piece/01A", "Stimulus/piece/01A", "PIECE/01A", "piece 01A", "piece/01A "]
)
def test_ways_to_write_a_label(tmp_path: Path, text: str) -> None:
    assert plays(plan_of(record(tmp_path / "a_raw.fif", [(20, 30, text)]), library())) == [("01A", 20.0, 30.0)]


def test_without_a_library_every_id_is_taken(tmp_path: Path) -> None:
    plan = plan_of(record(tmp_path / "a_raw.fif", [(20, 30, "piece/anything")]))
    assert plays(plan) == [("anything", 20.0, 30.0)]


def test_session_mark_brings_its_fixed_timeline(tmp_path: Path) -> None:
    plan = plan_of(record(tmp_path / "a_raw.fif", [(10, 0, "session/7")]), library())
    assert plays(plan) == FROM_SESSION_AT_10
    assert plan.session == "7"
    assert [(b.onset_s, b.end_s) for b in plan.baseline] == [
        (1.0, 10.0),
        (10.0, 30.0),
        (60.0, 65.0),
        (95.0, 115.0),
        (115.0, 139.0),
    ]


def test_events_file_comes_first(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(20, 30, "piece/01A")])
    events = tmp_path / "events.tsv"
    events.write_text(
        "onset\tduration\ttrial_type\tvalue\n5\t30\tpiece/01B\t1\n40\tn/a\tpiece/01A\t2\n80\t10\tsilence\t3\n\n"
    )
    plan = plan_of(path, library(), events=events)
    assert plays(plan) == [("01B", 5.0, 30.0), ("01A", 40.0, 30.0)]
    assert plays(plan_of(path, library(), events=events, offset_s=2.5))[0] == ("01B", 7.5, 30.0)


def test_stimulus_channel_with_codes(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", stim=True)
    plan = plan_of(path, library(), codes={3: "piece/01A", 4: "piece/01B"})
    assert plays(plan) == [("01A", 20.0, 30.0), ("01B", 55.0, 30.0)]
    with pytest.raises(TimelineError, match="codes found: 3, 4, 9"):
        plan_of(path, library(), codes={8: "piece/01A"})
    assert any("nobody named: 9" in note for note in plan.notes)
    with pytest.raises(TimelineError, match="stimulus channel .STI.: `code` 1=piece/ID says what its codes mean"):
        plan_of(path, library())


def test_session_and_offset(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif")
    assert plays(plan_of(path, library(), session="7", offset_s=10.0)) == FROM_SESSION_AT_10
    with pytest.raises(TimelineError, match="`offset`"):
        plan_of(path, library(), session="7")
    with pytest.raises(TimelineError, match="no session 8"):
        plan_of(path, library(), session="8", offset_s=0.0)


def test_a_session_that_began_before_the_recording_is_cut(tmp_path: Path) -> None:
    plan = plan_of(record(tmp_path / "a_raw.fif", seconds=60), library(), session="7", offset_s=-30.0)
    assert plays(plan) == [("01A", 0.0, 20.0), ("01B", 25.0, 30.0)]
    assert any("partly" in note for note in plan.notes)


def test_annotations_win_over_an_offset_and_say_so(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(10, 0, "session/7")])
    plan = plan_of(path, library(), session="7", offset_s=0.0)
    assert plays(plan) == FROM_SESSION_AT_10
    assert any("the offset is not used" in note for note in plan.notes)
    with pytest.raises(TimelineError, match="marked as session 7, not 8"):
        plan_of(path, library(), session="8", offset_s=0.0)


def test_play_log_by_date(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", meas_date=BEGIN)
    first = BEGIN + timedelta(seconds=5)  # 500 samples were acquired before the first stored one
    far = LoggedPlay("7", BEGIN - timedelta(days=1))
    zone = timezone(timedelta(hours=2))
    plan = plan_of(path, library(far, LoggedPlay("7", (first + timedelta(seconds=10)).astimezone(zone))))
    assert plays(plan) == FROM_SESSION_AT_10
    with pytest.raises(TimelineError, match=r"does not say which piece.*meets no session .* began 2026-03-28 00:30:00"):
        plan_of(path, library(far))


def test_a_clock_without_zone_is_local_time(tmp_path: Path) -> None:
    pytest.importorskip("edfio", reason="edfio, which writes EDF, is not installed")
    path = tmp_path / "local.edf"
    rng = np.random.default_rng(0)
    with quiet_mne():
        raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 14_000)), mne.create_info(["C3", "C4"], 100.0, "eeg"))
        raw.set_meas_date(datetime(2026, 7, 1, 20, 0, 0, tzinfo=UTC))  # EDF keeps the digits, not the zone
        mne.export.export_raw(path, raw)
    started = datetime(2026, 7, 1, 18, 0, 10, tzinfo=UTC)
    zone = timezone(timedelta(hours=2))
    plan = plan_of(path, library(LoggedPlay("7", started)), zone=zone)
    assert plays(plan) == FROM_SESSION_AT_10
    assert any("recorder's clock" in note for note in plan.notes)
    with pytest.raises(TimelineError, match="if its clock was UTC, give `session` 7 `offset` 10"):
        plan_of(path, library(LoggedPlay("7", datetime(2026, 7, 1, 20, 0, 10, tzinfo=UTC))), zone=zone)


def test_overlaps_are_refused(tmp_path: Path) -> None:
    for marks in (
        [(20, 30, "piece/01A"), (45, 30, "piece/01B")],
        [(20, 30, "piece/01A"), (20, 30, "piece/01A")],
        [(20, 30, "piece/01A"), (30, 5, "silence")],
    ):
        with pytest.raises(TimelineError, match="overlap"):
            plan_of(record(tmp_path / "a_raw.fif", marks), library())
    touching: Marks = [(20, 30.02, "piece/01A"), (50, 30, "piece/01B")]
    assert plays(plan_of(record(tmp_path / "a_raw.fif", touching), library()))[0] == ("01A", 20.0, 30.0)


def test_unknown_ids_are_refused_with_the_labels_found(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(20, 30, "piece/01A"), (60, 30, "piece/99"), (99, 0, "button")])
    with pytest.raises(TimelineError, match=r"piece/99.*labels found: piece/01A, piece/99, button"):
        plan_of(path, library())
    with pytest.raises(TimelineError, match="session/9 is no known session"):
        plan_of(record(tmp_path / "a_raw.fif", [(1, 0, "session/9")]), library())


def test_nothing_says_when_and_nothing_is_guessed(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(3, 0, "T0"), (5, 0, "button")])
    with pytest.raises(TimelineError, match=r"labels found: T0, button.*`events`"):
        plan_of(path, library())


def test_everything_outside_the_recording(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="no play lies in it"):
        plan_of(record(tmp_path / "a_raw.fif"), library(), session="7", offset_s=500.0)


def test_a_piece_without_any_length_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", [(20, 0, "piece/x")])
    with pytest.raises(TimelineError, match="no duration"):
        plan_of(path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no column onset, duration, trial_type"),
        ("onset\tduration\n1\t2\n", "no column trial_type"),
        ("onset,duration,trial_type\n1,2,piece/01A\n", "no column"),
        ("onset\tduration\ttrial_type\nsoon\t2\tpiece/01A\n", "line 2: onset 'soon'"),
        ("onset\tduration\ttrial_type\n1\t-2\tpiece/01A\n", "negative"),
        ("onset\tduration\ttrial_type\nnan\t2\tpiece/01A\n", "no number"),
        ("onset\tduration\ttrial_type\n1\t2\n", "2 cells"),
        ("onset\tduration\ttrial_type\n1\t2\tgo\n", "names no piece"),
    ],
)
def test_events_files_that_are_none(tmp_path: Path, text: str, match: str) -> None:
    events = tmp_path / "events.tsv"
    events.write_text(text)
    with pytest.raises(TimelineError, match=match):
        plan_of(record(tmp_path / "a_raw.fif"), library(), events=events)
    with pytest.raises(TimelineError, match="does not exist"):
        plan_of(tmp_path / "a_raw.fif", library(), events=tmp_path / "none.tsv")


def test_the_plan_reads_as_text_and_as_json(tmp_path: Path) -> None:
    import json

    plan = plan_of(record(tmp_path / "a_raw.fif", [(10, 0, "session/7")]), library())
    text = "\n".join(plan.lines())
    assert "0:30.0" in text
    assert "piece 01A" in text
    assert json.loads(json.dumps(plan.as_dict()))["session"] == "7"


def test_a_logged_play_with_a_pause_counts_as_it_was_heard(tmp_path: Path) -> None:
    path = record(tmp_path / "a_raw.fif", meas_date=BEGIN)
    heard = (Item("music", "01A", 0.0, 20.0), Item("music", "01A", 32.5, 10.0), Item("music", "01B", 50.0, 30.0))
    play = LoggedPlay("7", BEGIN + timedelta(seconds=15), heard)
    assert plays(plan_of(path, library(play))) == [("01A", 10.0, 20.0), ("01A", 42.5, 10.0), ("01B", 60.0, 30.0)]


def test_a_mark_of_the_end_gives_a_play_its_length(tmp_path: Path) -> None:
    marks: Marks = [
        (9, 0, "session/7"),
        (9.5, 0, "silence"),
        (10, 0, "end/silence"),
        (10, 0, "piece/01A"),
        (22, 0, "end/01A"),
        (40, 0, "piece/01B"),
        (70, 0, "end/01B"),
    ]
    plan = plan_of(record(tmp_path / "a_raw.fif", marks), library())
    assert plays(plan) == [("01A", 10.0, 12.0), ("01B", 40.0, 30.0)]


def quiet(plan: Timeline) -> list[tuple[float, float]]:
    return [(round(item.onset_s, 2), round(item.end_s, 2)) for item in plan.baseline]


def test_what_ends_without_a_beginning_is_no_silence(tmp_path: Path) -> None:
    marks: Marks = [
        (59, 0, "end/a"),
        (89, 0, "piece/b"),
        (149, 0, "end/b"),
        (179, 0, "piece/c"),
        (239, 0, "end/c"),
        (250, 0, "end/a"),
    ]
    plan = plan_of(record(tmp_path / "a_raw.fif", marks, seconds=300))
    assert plays(plan) == [("b", 89.0, 60.0), ("c", 179.0, 60.0)]
    assert quiet(plan) == [(59.0, 89.0), (250.0, 299.0)]
    assert any("end/a at 0:59.0, end/a at 4:10.0: its beginning is not marked" in note for note in plan.notes)


def test_a_session_heard_before_the_one_that_is_marked_is_no_silence(tmp_path: Path) -> None:
    plan = plan_of(record(tmp_path / "a_raw.fif", [(6, 0, "end/01B"), (10, 0, "session/7")]), library())
    assert plays(plan) == FROM_SESSION_AT_10
    assert quiet(plan)[0] == (6.0, 10.0)


def test_a_silence_does_not_reach_over_a_play_whose_beginning_is_lost(tmp_path: Path) -> None:
    marks: Marks = [
        (10, 0, "silence"),
        (59, 0, "end/a"),
        (80, 0, "end/silence"),
        (80, 0, "piece/b"),
        (110, 0, "end/b"),
    ]
    plan = plan_of(record(tmp_path / "a_raw.fif", marks))
    assert plays(plan) == [("b", 80.0, 30.0)]
    assert quiet(plan) == [(59.0, 80.0), (110.0, 139.0)]


def test_an_end_belongs_to_the_play_before_it(tmp_path: Path) -> None:
    marks: Marks = [
        (1, 0, "piece/01A"),
        (89, 0, "piece/01B"),
        (109, 0, "end/01B"),
        (120, 0, "piece/01A"),
        (135, 0, "end/01A"),
    ]
    plan = plan_of(record(tmp_path / "a_raw.fif", marks), library())
    assert plays(plan) == [("01A", 1.0, 30.0), ("01B", 89.0, 20.0), ("01A", 120.0, 15.0)]
    lost = [*marks[:3], (135.0, 0.0, "end/01A")]
    plan = plan_of(record(tmp_path / "a_raw.fif", lost), library())
    assert plays(plan) == [("01A", 1.0, 30.0), ("01B", 89.0, 20.0)]
    assert quiet(plan) == [(135.0, 139.0)]


def test_a_name_behind_a_space_finds_its_end_behind_the_next_beginning(tmp_path: Path) -> None:
    marks: Marks = [(10, 0, "piece a"), (39.99, 0, "piece b"), (40, 0, "end/a"), (70, 0, "end/b")]
    plan = plan_of(record(tmp_path / "a_raw.fif", marks))
    assert plays(plan) == [("a", 10.0, 29.99), ("b", 39.99, 30.01)]


def test_a_brainvision_comment_of_one_sample_is_a_moment(tmp_path: Path) -> None:
    path = brainvision(
        tmp_path, ["Comment,piece/01A,2001,1,0", "Comment,end/01A,4201,1,0", "Comment,piece/01B,6001,1,0"]
    )
    assert plays(plan_of(path, library())) == [("01A", 20.0, 22.0), ("01B", 60.0, 30.0)]


def test_an_eeglab_event_of_one_sample_is_a_moment(tmp_path: Path) -> None:
    path = eeglab(tmp_path, [("piece/01A", 2001, 1.0), ("end/01A", 4201, 1.0), ("piece/01B", 6001, 1.0)])
    assert plays(plan_of(path, library())) == [("01A", 20.0, 22.0), ("01B", 60.0, 30.0)]


EVENTS = "onset\tduration\ttrial_type\ttitle\n5\t30\tpiece/01B\t{title}\n40\t30\tpiece/01A\tLake\n"
BOTH = [("01B", 5.0, 30.0), ("01A", 40.0, 30.0)]


@pytest.mark.parametrize("title", ['"Dawn', "x" * 140_000])
def test_an_events_file_has_no_quoting_and_no_longest_cell(tmp_path: Path, title: str) -> None:
    events = tmp_path / "events.tsv"
    events.write_text(EVENTS.format(title=title))
    plan = plan_of(record(tmp_path / "a_raw.fif"), library(), events=events)
    assert plays(plan) == BOTH


def test_an_events_file_of_carriage_returns_and_quoted_cells_is_read(tmp_path: Path) -> None:
    events = tmp_path / "events.tsv"
    rows = EVENTS.format(title="Dawn").splitlines()
    events.write_bytes("\r".join("\t".join(f'"{cell}"' for cell in row.split("\t")) for row in rows).encode())
    assert plays(plan_of(record(tmp_path / "a_raw.fif"), library(), events=events)) == BOTH


def test_an_events_file_of_another_session_is_refused(tmp_path: Path) -> None:
    path, events = record(tmp_path / "a_raw.fif"), tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n10\tn/a\tsession/7\n30\t30\tpiece/01A\n")
    assert plan_of(path, library(), events=events, session="7").session == "7"
    with pytest.raises(TimelineError, match=r"events\.tsv is marked as session 7, not 8: leave `session` out"):
        plan_of(path, library(), events=events, session="8")


SEAM = ["New Segment,,4001,1,0,20260701200100000000"]


def test_fixed_timelines_across_a_second_segment_are_refused(tmp_path: Path) -> None:
    path = brainvision(tmp_path, SEAM)
    match = (
        r"rec\.vhdr was interrupted or cut at 0:40\.0 \(New Segment\).*session 7 does not hold behind it: give `events`"
    )
    with pytest.raises(TimelineError, match=match):
        plan_of(path, library(), session="7", offset_s=10.0)
    begin = datetime(2026, 7, 1, 20, tzinfo=UTC)
    with pytest.raises(TimelineError, match=match):
        plan_of(path, library(LoggedPlay("7", begin + timedelta(seconds=50))), zone=UTC)
    brainvision(tmp_path, ["Comment,session/7,1001,1,0", *SEAM])
    with pytest.raises(TimelineError, match=match):
        plan_of(path, library())
    brainvision(tmp_path, ["Comment,session/7,1001,1,0", "Comment,boundary,4001,1,0"])
    with pytest.raises(TimelineError, match=r"at 0:40\.0 \(Comment/boundary\)"):
        plan_of(path, library())
    brainvision(tmp_path, [*SEAM, "Comment,session/7,4101,1,0"], seconds=200)
    assert plays(plan_of(path, library())) == [("01A", 61.0, 30.0), ("01B", 96.0, 30.0)]
    brainvision(tmp_path, ["Comment,session/7,101,1,0", *SEAM, "Comment,piece/01A,4501,1,0"])
    assert plays(plan_of(path, library())) == [("01A", 45.0, 30.0)]


def test_fixed_timelines_across_data_cut_out_in_eeglab_are_refused(tmp_path: Path) -> None:
    path = eeglab(tmp_path, [("session/7", 1001, 1.0), ("boundary", 4001, 500.0)])
    with pytest.raises(TimelineError, match=r"rec\.set was interrupted or cut at 0:40\.0 \(boundary\)"):
        plan_of(path, library())
    path = eeglab(tmp_path, [("boundary", 4001, 500.0)])
    with pytest.raises(TimelineError, match="session 7 does not hold behind it"):
        plan_of(path, library(), session="7", offset_s=10.0)
    assert plays(plan_of(path, library(), session="7", offset_s=41.0))[0] == ("01A", 61.0, 30.0)


def test_the_hour_that_comes_twice_is_the_one_that_meets_the_log(tmp_path: Path) -> None:
    path = brainvision(tmp_path, [])
    marker = path.with_suffix(".vmrk")
    marker.write_text(marker.read_text(encoding="utf-8").replace("20260701200000", "20261025023000"), encoding="utf-8")
    zone = ZoneInfo("Europe/Berlin")
    first, second = (
        LoggedPlay("7", datetime(2026, 10, 25, hour, 30, 10, tzinfo=UTC))
        for hour in (0, 1)  # 02:30 in summer time, and again in winter time
    )
    plan = plan_of(path, library(second), zone=zone)
    assert plays(plan) == FROM_SESSION_AT_10
    assert any("taken as CET (UTC+0100)" in note for note in plan.notes)
    plan = plan_of(path, library(first, second), zone=zone)
    assert plays(plan) == FROM_SESSION_AT_10
    assert any("showed 2026-10-25 02:30 twice" in note for note in plan.notes)
    assert not any("twice" in note for note in plan_of(path, library(first), zone=zone).notes)
