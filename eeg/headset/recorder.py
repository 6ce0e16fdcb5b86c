"""Recording from a source while something else goes on."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eeg.errors import DeadElectrodesError, RecordingError
from eeg.headset.contact import DEAD, watch_contact
from eeg.headset.journal import JournalWriter, journal_raw
from eeg.headset.rate import RateWatch
from eeg.headset.sources import Source, open_source
from eeg.io.mne import quiet_mne
from eeg.simulation.file import LARGEST_FIF_BYTES

# How often the source is read, data are flushed to the disk, and a lost source is looked for.
_ASK_S, _SYNC_S, _RETRY_S = 0.02, 2.0, 2.0
# A hole inside one delivery.
_HOLE_S = 0.1
# How long a headset's contact is checked before it records.
_CONTACT_S = 10.0


@dataclass(frozen=True)
class Recorded:
    """A finished recording.

    Parameters
    ----------
    path : Path
    duration_s : float
    lost_s : float
        Seconds of it that were lost.
    jitter_s : float
        Standard deviation of the sample stamps about an even clock: how exactly labels are placed.
    sfreq : float
        As the stamps show it, in Hz.
    problem : str or None
        What went wrong while recording.
    """

    path: Path
    duration_s: float
    lost_s: float
    jitter_s: float
    sfreq: float
    problem: str | None


class Recorder:
    """Records a source into a file that grows, in a thread of its own.

    At any moment `eeg.open_recording` can read the file, even after the process was killed. At the end it becomes FIF.

    Parameters
    ----------
    source : Source
    path : Path
        A new file, ``.fif``.
    reopen : callable, optional
        Connects to the source again where it was lost.

    Raises
    ------
    RecordingError
        The file exists, or cannot be made.

    Examples
    --------
    >>> from eeg.headset.sources import open_source
    >>> source = open_source("brainflow:SYNTHETIC")        # doctest: +SKIP
    >>> with Recorder(source, Path("rec.fif")) as recorder:  # doctest: +SKIP
    ...     recorder.send("silence")
    """

    def __init__(self, source: Source, path: Path, *, reopen: Callable[[], Source] | None = None) -> None:
        self._source = source
        self._reopen = reopen
        self.path = path
        self.problem: str | None = None
        self._zero = time.monotonic()
        try:
            self._journal = JournalWriter(path, source.stream, datetime.now(UTC), self._zero)
        except FileExistsError:
            raise RecordingError(f"{path} exists: choose another name, recordings are not overwritten") from None
        except OSError as error:
            raise RecordingError(f"{path} cannot be written ({error.strerror}): choose another place") from None
        self._lock = threading.Lock()
        self._rate = RateWatch(source.stream.sfreq)
        self._ending = threading.Event()
        self._came = threading.Event()
        self._full = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def wait(self, seconds: float) -> bool:
        """Wait for the first sample; return whether one came."""
        return self._came.wait(seconds)

    def send(self, text: str, ahead_s: float = 0.0) -> None:
        """Label the moment in `ahead_s` seconds, as `piece/<id>`, `silence` or `end/<id>`."""
        self._write(lambda: self._journal.label(time.monotonic() + ahead_s, text))

    def _write(self, entry: Callable[[], None]) -> None:
        with self._lock:
            if self._full:
                return
            try:
                entry()
            except OSError as error:
                # Readers leave out an incomplete entry and everything after it: end here.
                self._full = True
                self.problem = f"the recording ends early: {self.path} cannot be written ({error.strerror})"

    def _run(self) -> None:
        synced = time.monotonic()
        while not self._ending.wait(_ASK_S):
            try:
                moments, samples = self._source.read()
            except RecordingError as error:
                if not self._found_again(error):
                    return
                continue
            self._take(moments, samples)
            other = self._rate.add(moments)
            if other is not None:
                self.problem = (
                    f"{self._source.stream.name} changed its rate to about {other:.0f} Hz, where it declares "
                    f"{self._source.stream.sfreq:g}: the recording ends there, start the stream and record anew"
                )
                return
            if time.monotonic() - synced > _SYNC_S:
                synced = time.monotonic()
                with contextlib.suppress(OSError):
                    self._journal.sync()

    def _take(self, moments: np.ndarray, samples: np.ndarray) -> None:
        if not len(moments):
            return
        self._came.set()
        holes = np.flatnonzero(np.diff(moments) > _HOLE_S) + 1
        for part, stamps in zip(np.split(samples, holes), np.split(moments, holes), strict=True):
            self._write(
                lambda part=part, stamps=stamps: self._journal.samples(float(stamps[0]), float(stamps[-1]), part)  # type: ignore[misc]
            )

    def _found_again(self, error: RecordingError) -> bool:
        """Look for a lost source until recording ends; return whether it is back, the same as it was."""
        self.problem = str(error)
        if self._reopen is None:
            return False
        before = self._source.stream
        with contextlib.suppress(Exception):
            self._source.close()
        while not self._ending.wait(_RETRY_S):
            try:
                again = self._reopen()
            except RecordingError:
                continue
            if (again.stream.sfreq, again.stream.channels) != (before.sfreq, before.channels):
                self.problem = f"{before.name} came back with another rate or other channels: recording ended there"
                again.close()
                return False
            self._source = again
            self._rate = RateWatch(again.stream.sfreq)
            self.problem = None
            return True
        return False

    def finish(self) -> Recorded:
        """End the recording, convert it to FIF, and return facts about it.

        Raises
        ------
        RecordingError
            Nothing came from the source.
        """
        self._ending.set()
        self._thread.join(10.0)
        with contextlib.suppress(Exception):
            self._take(*self._source.read())
        with contextlib.suppress(Exception):
            self._source.close()
        with contextlib.suppress(OSError):
            self._journal.sync()
        self._journal.close()
        return finish_recording(self.path, problem=self.problem)


def finish_recording(path: str | Path, *, problem: str | None = None) -> Recorded:
    """Convert a recording that was cut off to FIF, and return facts about it.

    A recording that would not fit into one FIF file, or onto the disk, stays a journal, which can be read and scored as
    well.

    Raises
    ------
    RecordingError
        It holds no sample.
    """
    path = Path(path)
    raw, journal = journal_raw(path)
    lost = sum(count for _, count in journal.lost)
    size = 4 * journal.n_samples * len(journal.stream.channels)
    if size < LARGEST_FIF_BYTES:
        part = path.with_name(f".{path.stem}.part_raw.fif")
        try:
            with quiet_mne():
                raw.save(part, fmt="single", overwrite=True, split_naming="neuromag")
            part.chmod(0o600)
            with part.open("r+b") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
        except OSError as error:
            problem = problem or f"{path} stays a growing recording ({error.strerror}): it can be scored as it is"
        finally:
            part.unlink(missing_ok=True)
    sfreq = journal.stream.sfreq
    return Recorded(path, journal.n_samples / sfreq, lost / sfreq, journal.jitter_s, journal.sfreq, problem)


def begin_recording(source: str, path: Path, *, any_contact: bool = False) -> Recorder:
    """Connect to a headset, check its contact, and begin to record.

    Parameters
    ----------
    source : str
        As `open_source` takes it.
    path : Path
        A new file, ``.fif``.
    any_contact : bool
        Whether to begin even if electrodes measure nothing.

    Raises
    ------
    DeadElectrodesError
        Where an electrode measures nothing.
    RecordingError
        The source is not there or sends nothing, or the file cannot be made.
    """
    _check_new(path)
    connected = open_source(source)
    try:
        contacts = next(watch_contact(connected, _CONTACT_S), [])
        if not contacts:
            raise RecordingError(f"{source} sends nothing: check that it is switched on and worn")
        dead = [one.channel for one in contacts if one.state in DEAD]
        if dead and not any_contact:
            raise DeadElectrodesError(dead)
        return Recorder(connected, path, reopen=lambda: open_source(source))
    except BaseException:
        connected.close()
        raise


def _check_new(path: Path) -> None:
    """Raise RecordingError where no new recording can be made at `path`."""
    if path.exists():
        raise RecordingError(f"{path} exists: choose another name, recordings are not overwritten")
    if not path.parent.is_dir():
        raise RecordingError(f"the folder of {path} does not exist: make it first")
