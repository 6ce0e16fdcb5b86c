"""The records of a soundfont file (.sf2, .sf3): SoundFont 2.04 specification, chapters 4 to 8."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio.instruments.modulators import RECORD as _MODULATOR
from therapy_gen.music.audio.instruments.modulators import Modulators, moved_by, read_modulators
from therapy_gen.music.audio.instruments.vorbis import VorbisSample

_MAX_SOUNDFONT_BYTES = 2 << 30

ROM_SAMPLE = 0x8000
VORBIS_SAMPLE = 0x0010

Records = npt.NDArray[np.void]


class Generator(IntEnum):
    """The generators that are read here (section 8.1.2)."""

    START = 0
    END = 1
    LOOP_START = 2
    LOOP_END = 3
    START_COARSE = 4
    MOD_LFO_TO_PITCH = 5
    VIB_LFO_TO_PITCH = 6
    MOD_ENV_TO_PITCH = 7
    FILTER_CUTOFF = 8
    FILTER_RESONANCE = 9
    MOD_LFO_TO_FILTER = 10
    MOD_ENV_TO_FILTER = 11
    END_COARSE = 12
    MOD_LFO_TO_VOLUME = 13
    PAN = 17
    MOD_LFO_DELAY = 21
    MOD_LFO_FREQUENCY = 22
    VIB_LFO_DELAY = 23
    VIB_LFO_FREQUENCY = 24
    MOD_DELAY = 25
    MOD_ATTACK = 26
    MOD_HOLD = 27
    MOD_DECAY = 28
    MOD_SUSTAIN = 29
    KEY_TO_MOD_HOLD = 31
    KEY_TO_MOD_DECAY = 32
    VOL_DELAY = 33
    VOL_ATTACK = 34
    VOL_HOLD = 35
    VOL_DECAY = 36
    VOL_SUSTAIN = 37
    VOL_RELEASE = 38
    KEY_TO_VOL_HOLD = 39
    KEY_TO_VOL_DECAY = 40
    INSTRUMENT = 41
    KEY_RANGE = 43
    VELOCITY_RANGE = 44
    LOOP_START_COARSE = 45
    KEY = 46
    ATTENUATION = 48
    LOOP_END_COARSE = 50
    COARSE_TUNE = 51
    FINE_TUNE = 52
    SAMPLE = 53
    SAMPLE_MODES = 54
    SCALE_TUNING = 56
    ROOT_KEY = 58


# A preset's zone adds to the instrument's, but for these, which only an instrument sets (section 8.5).
_INSTRUMENT_ONLY = {
    Generator.START,
    Generator.END,
    Generator.LOOP_START,
    Generator.LOOP_END,
    Generator.START_COARSE,
    Generator.END_COARSE,
    Generator.LOOP_START_COARSE,
    Generator.LOOP_END_COARSE,
    Generator.KEY,
    Generator.SAMPLE,
    Generator.SAMPLE_MODES,
    Generator.ROOT_KEY,
}
_DEFAULTS = {
    Generator.FILTER_CUTOFF: 13500,
    Generator.KEY: -1,
    Generator.ROOT_KEY: -1,
    Generator.SCALE_TUNING: 100,
    Generator.MOD_LFO_DELAY: -12000,
    Generator.VIB_LFO_DELAY: -12000,
    Generator.MOD_DELAY: -12000,
    Generator.MOD_ATTACK: -12000,
    Generator.MOD_HOLD: -12000,
    Generator.MOD_DECAY: -12000,
    Generator.VOL_DELAY: -12000,
    Generator.VOL_ATTACK: -12000,
    Generator.VOL_HOLD: -12000,
    Generator.VOL_DECAY: -12000,
    Generator.VOL_RELEASE: -12000,
}

# Limits of a zone's sums (section 8.1.3), where larger values would overflow.
_RANGES = {
    Generator.MOD_LFO_TO_PITCH: (-12000, 12000),
    Generator.VIB_LFO_TO_PITCH: (-12000, 12000),
    Generator.MOD_ENV_TO_PITCH: (-12000, 12000),
    Generator.MOD_ENV_TO_FILTER: (-12000, 12000),
    Generator.MOD_LFO_TO_VOLUME: (-960, 960),
    Generator.KEY: (-1, 127),
    Generator.COARSE_TUNE: (-120, 120),
    Generator.FINE_TUNE: (-99, 99),
    Generator.SCALE_TUNING: (0, 1200),
    Generator.ROOT_KEY: (-1, 127),
}

# In the units of generators, timecents above all, and in cents of a filter.
_STEP, _CUTOFF_STEP = 50, 100

_PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("reserved", "<u4", 3)])
_INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<i2")])
_SAMPLE = np.dtype(
    [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rate", "<u4"),
        ("key", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("type", "<u2"),
    ]
)


@dataclass(frozen=True)
class ZoneSettings:
    """The generators that an instrument's zone and the preset's zone above it set, and their modulators.

    `offsets` are the contributions of a note's modulators.
    """

    instrument: dict[int, int]
    preset: dict[int, int]
    instrument_modulators: Modulators = field(default_factory=dict)
    preset_modulators: Modulators = field(default_factory=dict)
    offsets: Mapping[int, int] = field(default_factory=dict)

    def __getitem__(self, generator: Generator) -> int:
        value = self.instrument.get(generator, _DEFAULTS.get(generator, 0))
        if generator not in _INSTRUMENT_ONLY:
            value += self.preset.get(generator, 0)
        value += self.offsets.get(generator, 0)
        lowest, highest = _RANGES.get(generator, (value, value))
        return min(max(value, lowest), highest)

    @property
    def sample(self) -> int:
        """The index of the sample that the zone plays."""
        return self.instrument[Generator.SAMPLE] & 0xFFFF

    def moved(self, key: int, velocity: int) -> tuple[ZoneSettings, float]:
        """Return the settings with a note's modulators applied, and their attenuation in decibels.

        Settings change in small steps, so that similar notes share a computed tone.
        """
        offsets = moved_by(self.instrument_modulators, self.preset_modulators, key, velocity)
        attenuation_db = offsets.pop(Generator.ATTENUATION, 0.0) / 10
        kept: dict[int, int] = {}
        for which, value in sorted(offsets.items()):
            step = _CUTOFF_STEP if which == Generator.FILTER_CUTOFF else _STEP
            if steps := round(value / step):
                kept[which] = steps * step
        return (replace(self, offsets=kept) if kept else self), attenuation_db

    @cached_property
    def keys(self) -> range:
        """The keys that both zones let through."""
        return self._range(Generator.KEY_RANGE)

    @cached_property
    def velocities(self) -> range:
        """The velocities that both zones let through."""
        return self._range(Generator.VELOCITY_RANGE)

    def _range(self, generator: Generator) -> range:
        both = [zone.get(generator, 127 << 8) & 0xFFFF for zone in (self.instrument, self.preset)]
        return range(max(amount & 0xFF for amount in both), min(amount >> 8 for amount in both) + 1)


class SoundFontFile:
    """A soundfont file, mapped into memory.

    Raises
    ------
    InputError
        Where the file is missing, a folder, unreadable, too large, or no soundfont; then, or when a part is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            chunks = _chunks(_map_file(path))
            self._presets = tuple(
                _records(chunks, *c)
                for c in (("phdr", _PRESET), ("pbag", _BAG), ("pgen", _GENERATOR), ("pmod", _MODULATOR))
            )
            self._instruments = tuple(
                _records(chunks, *c)
                for c in (("inst", _INSTRUMENT), ("ibag", _BAG), ("igen", _GENERATOR), ("imod", _MODULATOR))
            )
            self.headers = _records(chunks, "shdr", _SAMPLE)
            self._samples = chunks["smpl"]
        except (KeyError, ValueError, struct.error) as error:
            raise self._unreadable() from error
        self._vorbis = lru_cache(maxsize=128)(self._open_vorbis)
        self._lengths: dict[int, int] = {}
        self.programs: dict[tuple[int, int], int] = {}
        """The index of each preset by its bank and program."""
        for index, preset in enumerate(self._presets[0][:-1]):
            self.programs.setdefault((int(preset["bank"]), int(preset["program"])), index)
        if not self.programs:
            raise self._unreadable()

    def zones(self, preset: int) -> list[ZoneSettings]:
        """Return the zones of a preset, each of its instruments' zones in turn."""
        try:
            return [
                ZoneSettings(instrument_zone, preset_zone, instrument_modulators, preset_modulators)
                for preset_zone, preset_modulators in _zones(*self._presets, owner=preset, last=Generator.INSTRUMENT)
                for instrument_zone, instrument_modulators in _zones(
                    *self._instruments, owner=preset_zone[Generator.INSTRUMENT] & 0xFFFF, last=Generator.SAMPLE
                )
                if instrument_zone[Generator.SAMPLE] & 0xFFFF < len(self.headers) - 1
            ]
        except IndexError as error:
            raise self._unreadable() from error

    def length(self, sample: int) -> int:
        """Return the frames that a sample has."""
        header = self.headers[sample]
        start, end = int(header["start"]), int(header["end"])
        if not header["type"] & VORBIS_SAMPLE:
            return max(len(self._samples[2 * start : 2 * end]) // 2, 0)
        if sample not in self._lengths:
            self._lengths[sample] = self._vorbis(start, end).length
        return self._lengths[sample]

    def frames(self, sample: int, until: int | None = None) -> npt.NDArray[np.float32]:
        """Return a sample, mono, full scale at 1; with `until`, at least so many frames of it, or all it has."""
        header = self.headers[sample]
        start, end = int(header["start"]), int(header["end"])
        if not header["type"] & VORBIS_SAMPLE:
            stretch = self._samples[2 * start : 2 * end]
            # A chunk of odd size ends within a sample.
            words = np.frombuffer(stretch[: len(stretch) & ~1], dtype="<i2")
            return words.astype(np.float32) / np.float32(32768)
        return self._vorbis(start, end).frames(until)

    def _open_vorbis(self, start: int, end: int) -> VorbisSample:
        return VorbisSample(bytes(self._samples[start:end]), self._unreadable)

    def _unreadable(self) -> InputError:
        return InputError(f"{self.path} is not a soundfont that can be read; give an .sf2 or .sf3 file")


def _map_file(path: Path) -> memoryview:
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a soundfont file (.sf2 or .sf3)")
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size > _MAX_SOUNDFONT_BYTES:
                raise InputError(f"{path} is larger than {_MAX_SOUNDFONT_BYTES >> 30} GiB; give a smaller soundfont")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b"")
    except FileNotFoundError:
        raise InputError(f"there is no soundfont {path}; check the path") from None
    except OSError as error:
        raise InputError(f"cannot read the soundfont {path}: {error.strerror or error}") from None


def _chunks(data: memoryview) -> dict[str, memoryview]:
    """Return the chunks inside the lists of a RIFF file of form `sfbk`, by name."""
    riff, size, form = struct.unpack_from("<4sI4s", data)
    if riff != b"RIFF" or form != b"sfbk" or size > len(data) - 8:
        raise ValueError("no RIFF file of form sfbk, or cut short")
    lists = (body for name, body in _walk(data[12 : 8 + size]) if name == "LIST")
    return {name: body for body in lists for name, body in _walk(body[4:])}


def _walk(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    position = 0
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if position + size > len(data):
            raise ValueError("a chunk runs past its end")
        yield name.decode("latin-1"), data[position : position + size]
        position += size
        # MuseScore writes the odd-sized samples of an .sf3 without the byte that RIFF asks for.
        if size % 2 and bytes(data[position : position + 1]) == b"\0":
            position += 1


def _records(chunks: dict[str, memoryview], name: str, dtype: np.dtype[np.void]) -> Records:
    if dtype is _MODULATOR:
        # Some editors leave out or cut short what few instruments need.
        found = chunks.get(name, memoryview(b""))
        return np.frombuffer(found[: len(found) // dtype.itemsize * dtype.itemsize], dtype)
    return np.frombuffer(chunks[name], dtype)


def _zones(
    owners: Records, bags: Records, generators: Records, modulators: Records, *, owner: int, last: int
) -> Iterator[tuple[dict[int, int], Modulators]]:
    """Yield generators and modulators of each zone of a preset or an instrument, the global zone's filled in.

    `last` is the generator that ends a zone and links it to an instrument or a sample; a first zone without it is
    global, a later one is void (sections 7.3 and 7.7).
    """
    if owner >= len(owners) - 1:
        raise IndexError("a link to nothing")
    common: dict[int, int] = {}
    common_modulators: Modulators = {}
    first, end = int(owners["bag"][owner]), int(owners["bag"][owner + 1])
    for bag in range(first, end):
        low, high = int(bags["generator"][bag]), int(bags["generator"][bag + 1])
        amounts = {int(operator): int(amount) for operator, amount in generators[low:high].tolist()}
        own = read_modulators(modulators[int(bags["modulator"][bag]) : int(bags["modulator"][bag + 1])])
        if last in amounts:
            yield common | amounts, {**common_modulators, **own}
        elif bag == first:
            common, common_modulators = amounts, own
