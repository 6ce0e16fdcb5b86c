"""Damages files at random and reads them: every reader answers with one of our errors, in bounded time and memory.

`python -m tests.reliability.fuzz READER SECONDS SEED FOLDER` runs one reader in a process of its own and keeps in
FOLDER what it could not stand. What was found once is kept in `found/READER/` and tried in every run of the tests.
"""

from __future__ import annotations

import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from therapy_gen.errors import TherapyGenError

# By the wall: readers hand work to processes of their own. Busy machines take long to import music21.
HANG_S = 60.0
MEMORY_BYTES = 3 << 30
FOUND = Path(__file__).parent / "found"

SCORE = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>P</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>4</divisions><key><fifths>1</fifths></key>
<time><beats>3</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>4</duration><type>quarter</type></note>
<note><rest/><duration>4</duration></note>
<note><pitch><step>D</step><alter>1</alter><octave>5</octave></pitch><duration>4</duration><tie type="start"/></note>
</measure><measure number="2">
<note><pitch><step>D</step><alter>1</alter><octave>5</octave></pitch><duration>12</duration>
<tie type="stop"/></note><backup><duration>12</duration></backup></measure></part></score-partwise>
"""
ABC = """X:1
T:Tune
M:6/8
L:1/8
Q:3/8=60
K:Dmix
|: A2B c3- | c2 (3def g | [1 [ce]2 z d3 :| [2 {g}a>b c' d2 |]
"""
EVENTS = "onset\tduration\ttrial_type\n0.0\t60.0\tsilence\n60.5\t30\tpiece/01KAT4X2\n90.5\tn/a\tsession/1\n"


class Hang(BaseException):
    """A reader took too long."""


def _seconds_over(number: int, frame: FrameType | None) -> None:
    raise Hang


# What each reader is given: files that are whole, and what reads them.
Case = tuple[str, bytes]


def midi_files() -> list[Case]:
    """Two Standard MIDI Files."""
    from therapy_gen.music.midi.midi import to_midi
    from therapy_gen.music.performance import Note, Part, Performance

    notes = tuple(Note(n / 2, 0.5, 60 + n, 60) for n in range(12))
    parts = (Part("piano", 0, notes, pedal=((0.0, 2.0),)), Part("drums", 0, notes[:3], bank=128))
    tune = Performance(parts, 60.0, "C major", 7.0, "piano", metres=((0.0, "3/4"),), metre="3/4")
    loose = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x10\0\x90\x40\x40\x60\x80\x40\x40\0\xff\x2f\0" + bytes(4)
    return [("a.mid", to_midi(tune, title="tune")), ("b.mid", loose)]


def read_midi(path: Path) -> None:
    """Read it as `piece import` does."""
    from therapy_gen.music.midi.midi import read_performance

    read_performance(path.read_bytes(), name=path.name)


def read_score_file(path: Path) -> None:
    """Read it as `model train` does."""
    from therapy_gen.music.corpus.score import read_score

    read_score(path)


def musicxml_files() -> list[Case]:
    """A score, and the same compressed."""
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        container = '<container><rootfiles><rootfile full-path="s.xml"/></rootfiles></container>'
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("s.xml", SCORE)
    return [("a.musicxml", SCORE.encode()), ("b.mxl", packed.getvalue())]


def model_files() -> list[Case]:
    """The head of a model, and a whole one of no use."""
    import json

    from therapy_gen.musicvae.config import Config

    head = json.dumps(
        {
            "__metadata__": {"config": Config().to_json(), "facts": '{"steps": 1}'},
            "mu/bias": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
        }
    ).encode()
    return [("a.safetensors", struct.pack("<Q", len(head)) + head + bytes(8))]


def read_model(path: Path) -> None:
    """Open it as `session new --model` does."""
    from therapy_gen.musicvae.load import open_model

    open_model(str(path))


def eeg_files() -> list[Case]:
    """A short recording in the formats that MNE-Python writes."""
    import tempfile
    import warnings

    import mne
    import numpy as np

    rng = np.random.default_rng(0)
    info = mne.create_info(["Fz", "Cz", "Pz", "STI 014"], 100.0, ["eeg"] * 3 + ["stim"])
    data = rng.normal(size=(4, 2000)) * 1e-5
    data[3] = 0
    found: list[Case] = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.RawArray(data, info, verbose="error")
        raw.set_annotations(mne.Annotations([1.0, 8.0], [5.0, 6.0], ["piece/01KAT4X2", "silence"]))
        raw.save(Path(folder) / "a_raw.fif", verbose="error")
        for name in ("a.edf", "a.vhdr", "a.set"):
            try:
                raw.copy().pick("eeg").export(Path(folder) / name, verbose="error")
            except (ImportError, RuntimeError):
                continue
        found = [(path.name, path.read_bytes()) for path in sorted(Path(folder).iterdir())]
    return [case for case in found if not case[0].endswith((".eeg", ".vmrk"))]


def read_eeg(path: Path) -> None:
    """Look at it as `score-eeg --dry-run` does."""
    import eeg
    from eeg.timeline.known_pieces import Library

    eeg.plan_recording(path, Library())


def events_files() -> list[Case]:
    """A BIDS events table."""
    return [("a_events.tsv", EVENTS.encode())]


def read_events_file(path: Path) -> None:
    """Read it as `score-eeg --events` does."""
    from eeg.timeline.events import read_events

    read_events(path)


def soundfont_files() -> list[Case]:
    """The head of a small soundfont."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    generators = struct.pack("<HH", 41, 0) + struct.pack("<HH", 0, 0)
    samples = struct.pack("<HH", 53, 0) + struct.pack("<HH", 0, 0)
    presets = struct.pack("<20sHHHIII", b"P", 0, 0, 0, 0, 0, 0) + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0)
    bags = struct.pack("<HHHH", 0, 0, 1, 0)
    instruments = struct.pack("<20sH", b"I", 0) + struct.pack("<20sH", b"EOI", 1)
    header = struct.pack("<20sIIIIIBbHH", b"S", 0, 40, 8, 32, 44100, 60, 0, 0, 1)
    pdta = b"".join(
        chunk(name, body)
        for name, body in (
            (b"phdr", presets), (b"pbag", bags), (b"pmod", bytes(10)), (b"pgen", generators), (b"inst", instruments),
            (b"ibag", bags), (b"imod", bytes(10)), (b"igen", samples), (b"shdr", header + bytes(46)),
        )
    )  # fmt: skip
    body = b"sfbk" + chunk(b"LIST", b"sdta" + chunk(b"smpl", bytes(range(92)))) + chunk(b"LIST", b"pdta" + pdta)
    return [("a.sf2", b"RIFF" + struct.pack("<I", len(body)) + body)]


def read_soundfont(path: Path) -> None:
    """Read it as `export --soundfont` does, and all its samples."""
    from therapy_gen.music.audio.instruments.soundfont import SoundFont
    from therapy_gen.music.audio.instruments.soundfont_file import SoundFontFile

    font = SoundFontFile(path)
    for sample in range(min(len(font.headers) - 1, 4)):
        font.frames(sample)
    SoundFont(path).zones(0, 0, 60, 64)


def database_files() -> list[Case]:
    """A database of ours."""
    import tempfile

    from sessions.storage.store import Store

    with tempfile.TemporaryDirectory() as folder:
        Store.open(Path(folder) / "a.db")
        Store(Path(folder) / "a.db").backup(Path(folder) / "b.db")
        return [("b.db", (Path(folder) / "b.db").read_bytes())]


def read_database(path: Path) -> None:
    """Open and check it as `db check` and `session list` do."""
    from sessions.storage.library import list_sessions
    from sessions.storage.store import Store

    Store(path).check()
    list_sessions(Store.open_to_read(path))


READERS: dict[str, tuple[Callable[[], list[Case]], Callable[[Path], None]]] = {
    "midi": (midi_files, read_midi),
    "musicxml": (musicxml_files, read_score_file),
    "abc": (lambda: [("a.abc", ABC.encode())], read_score_file),
    "model": (model_files, read_model),
    "eeg": (eeg_files, read_eeg),
    "events": (events_files, read_events_file),
    "soundfont": (soundfont_files, read_soundfont),
    "database": (database_files, read_database),
}
_ODD = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"-1",
    b"0",
    b"999999999999",
    b"1e309",
    b"nan",
    b"\xff\xff\xff\xff",
    b"\n",
    b"\t",
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return content with a few things changed: bits, bytes, numbers, pieces cut out, doubled or swapped, its end."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        at = rng.randrange(len(data))
        length = min(rng.choice((1, 2, 4, 8, 32, 200)), len(data) - at)
        match rng.randrange(7):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at : at + length] = rng.choice(_ODD)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
            case 5:
                other = rng.randrange(len(data))
                data[at : at + length] = data[other : other + length]
            case 6:
                del data[at:]
    return bytes(data)


def fault(read: Callable[[Path], None], path: Path) -> str | None:
    """Read a file; return what went wrong, or None where it was read or refused in words."""
    before: Any = signal.signal(signal.SIGALRM, _seconds_over)
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        read(path)
    except TherapyGenError as error:
        return "more than one line" if "\n" in str(error) else None
    except Hang:
        return f"took more than {HANG_S:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return None


def search(reader: str, seconds: float, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Damage and read files for so long; return how many, and what was not stood, one of each kind."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    make, read = READERS[reader]
    whole = make()
    rng = random.Random(seed)
    kinds: dict[str, str] = {}
    count = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        name, content = rng.choice(whole)
        path = folder / name
        path.write_bytes(damaged(content, rng))
        count += 1
        said = fault(read, path)
        if said is not None and said.partition(":")[0] not in kinds:
            kept = folder / f"found-{len(kinds)}-{name}"
            kept.write_bytes(path.read_bytes())
            kinds[said.partition(":")[0]] = f"{kept.name}: {said}"
    return count, list(kinds.values())


if __name__ == "__main__":
    reader, seconds, seed, folder = sys.argv[1:]
    tried, faults = search(reader, float(seconds), int(seed), Path(folder))
    print(f"{reader}: {tried} damaged files, {len(faults)} kinds of fault")
    for line in faults:
        print(f"  {line}")
    sys.exit(1 if faults else 0)
