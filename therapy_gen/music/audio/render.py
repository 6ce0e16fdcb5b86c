"""Rendering MIDI: instruments of a soundfont, reverb, normalised loudness, a fade at the end."""

from __future__ import annotations

import tempfile
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from therapy_gen.errors import InputError
from therapy_gen.music.audio import SAMPLE_RATE
from therapy_gen.music.audio.files.decode import decoded, frames_of
from therapy_gen.music.audio.files.kind import is_audio
from therapy_gen.music.audio.instruments.soundfont import SoundFont, default_soundfont
from therapy_gen.music.audio.loudness import LoudnessMeter, limit
from therapy_gen.music.audio.loudness_target import TARGET_LUFS
from therapy_gen.music.audio.mix import Mix
from therapy_gen.music.audio.reverb import BLOCK, DEFAULT_SPACE, Reverb
from therapy_gen.music.audio.stage import pan_of, placement_of
from therapy_gen.music.audio.synth import StruckNote, Synthesiser
from therapy_gen.music.midi.midi import read_performance
from therapy_gen.music.performance import Part, Performance

Frames = npt.NDArray[np.float32]
_Block = tuple[Frames, Frames]


# Soft piano peaks up to 19 dB above its loudness: at -23 LUFS nothing comes near this, louder targets do. The true peak
# between samples lies up to a decibel above.
_HIGHEST_PEAK = 10 ** (-2.2 / 20)
# Sound too quiet to be measured is measured at this peak, and sound too short is left at it.
_QUIET_PEAK = 0.25

_LEAD_IN_S = 0.06
"""Silence at the beginning of a piece, so that it does not start abruptly."""

# The embedded instruments are recorded softly and close. What lies above 4 kHz is raised towards this share of the
# energy, by so much at most.
_AIR_HZ, _AIR_DB, _MOST_AIR = 4000.0, -22.0, 6.0
_AIR_TAPS = np.hanning(11)[1:-1].astype(np.float32) / np.float32(np.hanning(11).sum())

_FADE_IN_S = 0.004
_FADE_OUT_S = 4.0

# Pieces above this are kept in a file while they are measured.
_LARGEST_IN_MEMORY = 256 << 20
_FRAMES_PER_CHUNK = 1 << 16


def render(
    midi: bytes,
    *,
    soundfont: Path | None = None,
    sample_rate: int = SAMPLE_RATE,
    name: str = "the MIDI data",
    space: str = DEFAULT_SPACE,
    loudness: float = TARGET_LUFS,
) -> Frames:
    """Render a piece.

    Parameters
    ----------
    midi : bytes
        A Standard MIDI File.
    soundfont : Path, optional
        An .sf2 or .sf3 file; by default the one that is installed.
    sample_rate : int
    name : str
        What to call the MIDI bytes in an error.
    space : str
        ``"dry"``, ``"room"`` or ``"hall"``.
    loudness : float
        In LUFS.

    Returns
    -------
    array of float32, shape (frames, 2)
        As long as `read_performance` says, its true peak below -1 dBTP.

    Raises
    ------
    InputError
        Where MIDI or soundfont cannot be read.

    Examples
    --------
    >>> from therapy_gen.music.performance import Note, Part, Performance
    >>> import therapy_gen
    >>> note = Note(0.0, 1.0, 60, 50)
    >>> midi = therapy_gen.to_midi(Performance((Part("Piano", 0, (note,), pedal=()),), 60, "", 1.0, ""), title="One")
    >>> therapy_gen.render(midi, sample_rate=22050).shape[1]
    2
    """
    return PieceRenderer(Mix(soundfont, space, loudness), sample_rate).piece(midi, name)


class PieceRenderer:
    """Renders pieces with shared instruments and reverb.

    Set `stop` from another thread to end it at once. `own` says that the embedded instruments play; `space` is the
    reverb's. With `ahead`, a thread of its own synthesises the next block while the reverb is added to the current one.
    """

    def __init__(self, mix: Mix, sample_rate: int, *, ahead: bool = True) -> None:
        self.sample_rate = sample_rate
        self._ahead = ahead
        self._loudness = mix.loudness
        soundfont = mix.soundfont
        self.own = soundfont is None
        self.space = mix.space
        self._synthesiser = Synthesiser(
            SoundFont(soundfont or default_soundfont()), sample_rate, pads=soundfont is None
        )
        self._reverb = Reverb(sample_rate, mix.space)
        self.stop = threading.Event()

    def piece(self, music: bytes, name: str) -> Frames:
        """Return the sound of a piece, of a MIDI or an audio file; `name` is what to call it in an error."""
        if is_audio(music):
            return self.recorded(music, name)
        performance = read_performance(music, name=name)
        frames = round(performance.duration * self.sample_rate)
        sound = _allocate(frames)
        meter = LoudnessMeter(self.sample_rate)
        dry = self._synthesiser.blocks(struck_notes(performance), frames, BLOCK)
        if self._ahead:
            dry = _one_ahead(dry)
        for index, block in enumerate(self._reverb.process(dry)):
            if self.stop.is_set():
                return np.zeros((0, 2), dtype=np.float32)
            stop = min((index + 1) * BLOCK, frames)
            kept = block[:, : stop - index * BLOCK]
            meter.add(kept)
            sound[index * BLOCK : stop] = kept.T
        if meter.peak > 0:
            self.bring_to(sound, *self.levels_of(meter))
            limit(sound, _HIGHEST_PEAK, self.sample_rate)
        _fade_in(sound, self.sample_rate)
        fade_out(sound, self.sample_rate)
        return sound

    def recorded(self, music: bytes, name: str) -> Frames:
        """Return the sound of a recorded piece, normalised in loudness like all pieces."""
        sound = _allocate(frames_of(music, self.sample_rate, name))
        meter = LoudnessMeter(self.sample_rate)
        at = 0
        for block in decoded(music, self.sample_rate, name):
            if self.stop.is_set():
                return np.zeros((0, 2), dtype=np.float32)
            kept = block[: len(sound) - at]
            sound[at : at + len(kept)] = kept
            meter.add(np.ascontiguousarray(kept.T))
            at += len(kept)
        sound[at:] = 0
        if meter.peak > 0:
            sound *= np.float32(_gain(meter, self._loudness))
            limit(sound, _HIGHEST_PEAK, self.sample_rate)
        _fade_in(sound, self.sample_rate)
        return sound

    def bare(self, notes: Sequence[StruckNote], frames: int) -> Iterator[Frames]:
        """Give the sound of notes without any gain, in blocks of shape (at most `BLOCK`, 2)."""
        left = frames
        for block in self._reverb.process(self._synthesiser.blocks(notes, frames, BLOCK)):
            yield np.ascontiguousarray(block[:, :left].T)
            left -= BLOCK
            if left <= 0:
                return

    def levels_of(self, meter: LoudnessMeter) -> tuple[np.float32, float]:
        """Return the gain, and the boost of treble, that bring measured sound to the loudness of all pieces."""
        if not meter.peak > 0:
            return np.float32(1.0), 0.0
        gain = np.float32(_gain(meter, self._loudness))
        air = _air_gain(meter) if self.own else 0.0
        if air > 0:
            gain *= np.float32(10 ** (-meter.change_db(1 + air * (1 - _air_response(len(meter.spectrum)))) / 20))
        return gain, air

    def bring_to(self, block: Frames, gain: np.float32, air: float) -> None:
        """Apply gain and treble boost from `levels_of` to sound of shape (frames, 2), in place."""
        if air > 0:
            _raise_air(block, gain, air)
        else:
            block *= gain


def _one_ahead(blocks: Iterator[_Block]) -> Iterator[_Block]:
    """Give blocks on, and have the next one made meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="notes") as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


def _gain(meter: LoudnessMeter, target: float) -> float:
    """Return the factor that brings measured sound, which is not silent, to the loudness of all pieces."""
    raised = 1.0
    loudness = meter.integrated()
    if not np.isfinite(loudness):
        # Too quiet for the meter's gate, or too short.
        raised = _QUIET_PEAK / meter.peak
        loudness = meter.integrated(raised)
        if not np.isfinite(loudness):
            return float(raised)
    return float(raised * 10 ** ((target - loudness) / 20))


def _air_gain(meter: LoudnessMeter) -> float:
    """Return how much of its treble to add to a sound, as a factor."""
    missing_db = _AIR_DB - meter.share_above_db(_AIR_HZ)
    return float(min(max(10 ** (missing_db / 20) - 1, 0.0), _MOST_AIR))


def _air_response(bins: int) -> npt.NDArray[np.float64]:
    """Return the amplitude response of the low-pass beside the air, at so many frequencies up to the highest."""
    padded = np.zeros(2 * (bins - 1))
    padded[: len(_AIR_TAPS)] = _AIR_TAPS
    return np.abs(np.fft.rfft(padded))


def _raise_air(sound: Frames, gain: np.float32, air: float) -> None:
    """Add so much of what the low-pass takes away, times a gain."""
    margin = len(_AIR_TAPS) // 2
    taps = -np.float32(air) * _AIR_TAPS
    taps[margin] += np.float32(1 + air)
    taps *= gain
    edge = np.zeros(margin, dtype=np.float32)
    for channel in sound.T:
        before = edge
        for start in range(0, len(channel), _FRAMES_PER_CHUNK):
            stop = min(start + _FRAMES_PER_CHUNK, len(channel))
            own = np.concatenate((before, channel[start : stop + margin], edge))[: stop - start + 2 * margin]
            before = own[-2 * margin : -margin].copy()
            channel[start:stop] = np.convolve(own, taps, "valid")


def struck_notes(performance: Performance) -> list[StruckNote]:
    """Return the notes for the synthesiser, held as long as keys or pedal hold them."""
    return [note for part in performance.parts for note in _part_notes(part)]


def _part_notes(part: Part) -> Iterator[StruckNote]:
    placement = placement_of(part.program)
    downs = [down for down, _ in part.pedal]
    struck_again: dict[int, float] = {}
    for note in reversed(part.notes):
        end = note.onset + note.duration
        span = bisect_right(downs, end) - 1
        if span >= 0:
            end = max(end, part.pedal[span][1])
        # A key struck again ends its earlier note.
        end = min(end, struck_again.get(note.pitch, end))
        struck_again[note.pitch] = note.onset
        yield StruckNote(
            note.onset + _LEAD_IN_S,
            end - note.onset,
            note.pitch,
            note.velocity,
            part.program,
            part.bank,
            part.level,
            pan_of(placement, note.pitch, part.pan),
            placement.send,
        )


def _allocate(frames: int) -> Frames:
    # Each channel stands for itself.
    if frames * 8 <= _LARGEST_IN_MEMORY:
        return np.empty((2, frames), dtype=np.float32).T
    try:
        # The file has no name; its space is free again when the array goes.
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, dtype=np.float32, mode="w+", shape=(2, frames)).T
    except OSError as error:
        raise InputError(f"no room for a long piece in {tempfile.gettempdir()}: {error.strerror or error}") from None


def _fade_in(sound: Frames, sample_rate: int) -> None:
    sound[: round(_FADE_IN_S * sample_rate)] *= _ramp(min(round(_FADE_IN_S * sample_rate), len(sound)))


def fade_out(sound: Frames, sample_rate: int) -> None:
    """Let the last seconds of a sound die away, in place."""
    count = min(round(_FADE_OUT_S * sample_rate), len(sound))
    sound[len(sound) - count :] *= _ramp(count)[::-1]


def _ramp(count: int) -> Frames:
    """Return a ramp from silence to full, as a column."""
    curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / max(count, 1))
    return np.asarray(curve[:, None], dtype=np.float32)
