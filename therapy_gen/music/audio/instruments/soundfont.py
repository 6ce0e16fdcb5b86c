"""Instruments of a soundfont: the samples of each key, and their envelopes, filters and modulation."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from therapy_gen.music.audio.instruments.soundfont_file import (
    ROM_SAMPLE,
    VORBIS_SAMPLE,
    Generator,
    SoundFontFile,
    ZoneSettings,
)
from therapy_gen.music.performance import DRUM_BANK

# Creative's hardware took 0.4 of a file's initial attenuation and soundfonts are tuned for it; FluidSynth does so too.
_ATTENUATION_IN_USE = 0.4


@dataclass(frozen=True)
class Lfo:
    """A low-frequency triangle wave and its depth on pitch and volume; `delay` in seconds, `frequency` in hertz."""

    delay: float
    frequency: float
    pitch_cents: float
    volume_db: float


@dataclass(frozen=True)
class Envelope:
    """Delay and attack in seconds; hold and decay in timecents, which a key bends by so much for each key below 60."""

    delay: float
    attack: float
    hold_timecents: int
    key_to_hold: int
    decay_timecents: int
    key_to_decay: int

    def hold(self, key: int) -> float:
        """Return the seconds at full height after the attack."""
        return _seconds(self.hold_timecents + self.key_to_hold * (60 - key))

    def decay(self, key: int) -> float:
        """Return the seconds that the whole way down would take."""
        return _seconds(self.decay_timecents + self.key_to_decay * (60 - key))


@dataclass(frozen=True)
class Zone:
    """A sample that sounds when a key is struck, with its parameters.

    Sample positions count frames from the sample's first. The volume's whole way down is 100 dB: `release` is the
    seconds it takes, `sustain_db` is how far below full the decay ends. The modulation envelope runs from 0 to 1 and
    ends at `modulation_sustain`; it moves pitch and filter by so many cents.
    """

    sample: int
    start: int
    end: int
    loop_start: int
    loop_end: int
    loops: bool
    rate: int
    root_key: float
    fixed_key: int
    cents_per_key: int
    pan: float
    attenuation_db: float
    cutoff_hz: float
    resonance_db: float
    volume: Envelope
    sustain_db: float
    release: float
    modulation: Envelope
    modulation_sustain: float
    modulation_to_pitch: int
    modulation_to_filter: int
    lfos: tuple[Lfo, ...]
    lfo_to_filter: int = 0

    def frames_per_second(self, key: int) -> float:
        """Return how fast the sample runs to sound as `key`."""
        played = self.fixed_key if self.fixed_key >= 0 else key
        return float(self.rate * 2.0 ** ((played - self.root_key) * self.cents_per_key / 1200))


class SoundFont:
    """A soundfont on disk; instruments and samples are read when first played.

    Parameters
    ----------
    path : Path
        An .sf2 file, or an .sf3 (the same with Ogg Vorbis samples).

    Raises
    ------
    InputError
        Where the file is missing, a folder, unreadable, too large, or no soundfont; then or when first played.
    """

    def __init__(self, path: Path) -> None:
        self._file = SoundFontFile(path)
        self._settings: dict[int, list[ZoneSettings]] = {}
        self._zones: dict[tuple[int, int, tuple[tuple[int, int], ...]], Zone | None] = {}
        self._struck: dict[tuple[int, int, int, int], list[tuple[Zone, float]]] = {}
        self._lock = threading.Lock()

    def zones(self, bank: int, program: int, key: int, velocity: int) -> list[tuple[Zone, float]]:
        """Return what sounds when `key` is struck at `velocity`, and by how many decibels each zone is attenuated.

        The zones are the same objects at every call.

        An instrument that the file lacks is played by the same program of bank 0 (drums: by the first set of drums),
        then by the nearest program of its family of eight, by program 0, by the file's first instrument.

        A key that none of the instrument's zones reaches sounds by those of the nearest key that has some, at its own
        pitch: a hole in a melody is heard, a sample that is bent further is not (docs/rendering.md). Drums stay silent
        there, since each of their keys is an instrument of its own.
        """
        with self._lock:
            wanted = (bank, program, key, velocity)
            if wanted not in self._struck:
                self._struck[wanted] = self._zones_of(*wanted)
            return self._struck[wanted]

    def _zones_of(self, bank: int, program: int, key: int, velocity: int) -> list[tuple[Zone, float]]:
        preset = self._preset(bank, program)
        if preset not in self._settings:
            self._settings[preset] = self._file.zones(preset)
        settings = self._settings[preset]
        reached = _reached(settings, key, velocity)
        if not reached and bank != DRUM_BANK:
            reached = _reached(settings, _nearest_key(settings, key, velocity), velocity)
        struck = []
        for index in reached:
            moved, attenuation_db = settings[index].moved(key, velocity)
            wanted = (preset, index, tuple(moved.offsets.items()))
            if wanted not in self._zones:
                self._zones[wanted] = self._zone(moved)
            if (zone := self._zones[wanted]) is not None:
                struck.append((zone, max(zone.attenuation_db + attenuation_db, 0.0)))
        return struck

    def _preset(self, bank: int, program: int) -> int:
        programs = self._file.programs
        family = [(0, other) for other in range(program & ~7, (program & ~7) + 8)]
        family.sort(key=lambda other: abs(other[1] - program))
        stand_ins = [(DRUM_BANK, 0)] if bank == DRUM_BANK else family
        found = (programs.get(wanted) for wanted in ((bank, program), *stand_ins, (0, 0)))
        return next((index for index in found if index is not None), min(programs.values()))

    def sample(self, zone: Zone, until: int | None = None) -> npt.NDArray[np.float32]:
        """Return the frames of a zone's sample, mono, full scale at 1; with `until`, at least the first so many."""
        return self._file.frames(zone.sample, until)

    def _zone(self, settings: ZoneSettings) -> Zone | None:
        header = self._file.headers[settings.sample]
        if header["type"] & ROM_SAMPLE or not header["rate"]:
            return None

        def place(fine: Generator, coarse: Generator) -> int:
            return settings[fine] + 32768 * settings[coarse]

        # In an .sf3, start and end count bytes of compressed sound, and loops count frames from the sample's first.
        origin = 0 if header["type"] & VORBIS_SAMPLE else int(header["start"])
        length = self._file.length(settings.sample)
        start = max(0, place(Generator.START, Generator.START_COARSE))
        end = min(length, length + place(Generator.END, Generator.END_COARSE))
        loop_start = int(header["loop_start"]) - origin + place(Generator.LOOP_START, Generator.LOOP_START_COARSE)
        loop_end = int(header["loop_end"]) - origin + place(Generator.LOOP_END, Generator.LOOP_END_COARSE)
        if end - start < 2:
            return None
        return Zone(
            sample=settings.sample,
            start=start,
            end=end,
            loop_start=loop_start,
            loop_end=loop_end,
            loops=bool(settings[Generator.SAMPLE_MODES] & 1)
            and start <= loop_start
            and loop_start + 8 <= loop_end <= end,
            rate=int(header["rate"]),
            root_key=_root_key(settings, header),
            fixed_key=settings[Generator.KEY],
            cents_per_key=settings[Generator.SCALE_TUNING],
            pan=min(max(settings[Generator.PAN] / 500, -1.0), 1.0),
            attenuation_db=_ATTENUATION_IN_USE * max(settings[Generator.ATTENUATION], 0) / 10,
            cutoff_hz=_hertz(min(max(settings[Generator.FILTER_CUTOFF], 1500), 13500)),
            resonance_db=min(max(settings[Generator.FILTER_RESONANCE], 0), 960) / 10,
            volume=Envelope(
                _seconds(settings[Generator.VOL_DELAY]),
                _seconds(settings[Generator.VOL_ATTACK]),
                settings[Generator.VOL_HOLD],
                settings[Generator.KEY_TO_VOL_HOLD],
                settings[Generator.VOL_DECAY],
                settings[Generator.KEY_TO_VOL_DECAY],
            ),
            sustain_db=min(max(settings[Generator.VOL_SUSTAIN], 0), 1440) / 10,
            release=_seconds(settings[Generator.VOL_RELEASE]),
            modulation=Envelope(
                _seconds(settings[Generator.MOD_DELAY]),
                _seconds(settings[Generator.MOD_ATTACK]),
                settings[Generator.MOD_HOLD],
                settings[Generator.KEY_TO_MOD_HOLD],
                settings[Generator.MOD_DECAY],
                settings[Generator.KEY_TO_MOD_DECAY],
            ),
            modulation_sustain=1 - min(max(settings[Generator.MOD_SUSTAIN], 0), 1000) / 1000,
            modulation_to_pitch=settings[Generator.MOD_ENV_TO_PITCH],
            modulation_to_filter=settings[Generator.MOD_ENV_TO_FILTER],
            lfos=_lfos(settings),
            lfo_to_filter=settings[Generator.MOD_LFO_TO_FILTER],
        )


def _root_key(settings: ZoneSettings, header: Any) -> float:
    """Return the key at which a sample sounds as it is recorded."""
    root = settings[Generator.ROOT_KEY]
    if root < 0:
        root = int(header["key"]) if header["key"] <= 127 else 60
    tune = 100 * settings[Generator.COARSE_TUNE] + settings[Generator.FINE_TUNE] + int(header["correction"])
    return root - tune / 100


def default_soundfont() -> Path:
    """Return the embedded instruments; their licence lies beside them."""
    return Path(str(files("therapy_gen") / "assets" / "instruments.sf3"))


def _reached(settings: Sequence[ZoneSettings], key: int, velocity: int) -> list[int]:
    """Return the places of the zones that a key at a velocity reaches."""
    return [index for index, zone in enumerate(settings) if key in zone.keys and velocity in zone.velocities]


def _nearest_key(settings: Sequence[ZoneSettings], key: int, velocity: int) -> int:
    """Return the key nearest to one that a zone has at a velocity, the lower of two; itself where none has any."""
    ranges = [zone.keys for zone in settings if velocity in zone.velocities]
    ends = {end for keys in ranges if keys for end in (keys[0], keys[-1])}
    return min(ends, key=lambda end: (abs(end - key), end), default=key)


def _lfos(settings: ZoneSettings) -> tuple[Lfo, ...]:
    both = (
        Lfo(
            _seconds(settings[Generator.MOD_LFO_DELAY]),
            _hertz(settings[Generator.MOD_LFO_FREQUENCY]),
            settings[Generator.MOD_LFO_TO_PITCH],
            settings[Generator.MOD_LFO_TO_VOLUME] / 10,
        ),
        Lfo(
            _seconds(settings[Generator.VIB_LFO_DELAY]),
            _hertz(settings[Generator.VIB_LFO_FREQUENCY]),
            settings[Generator.VIB_LFO_TO_PITCH],
            0.0,
        ),
    )
    moving = bool(settings[Generator.MOD_LFO_TO_FILTER])
    return tuple(lfo for n, lfo in enumerate(both) if lfo.pitch_cents or lfo.volume_db or (moving and n == 0))


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12000 else float(2.0 ** (min(timecents, 8000) / 1200))


def _hertz(cents: int) -> float:
    return float(8.176 * 2.0 ** (min(max(cents, -16000), 13500) / 1200))
