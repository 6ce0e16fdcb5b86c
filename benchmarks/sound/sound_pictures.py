"""Draw audio files: a spectrogram (40 Hz to 16 kHz, 90 dB deep) over the loudness of every 3 s (-50 to -15 LUFS).

python benchmarks/sound/sound_pictures.py FILE.wav [FILE.wav ...] -o DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from sound import RATE, short_term

from therapy_gen.music.audio.files.png import png

_WIDTH, _SPECTRUM, _LEVEL = 640, 180, 70
_LOW_HZ, _HIGH_HZ, _DEPTH_DB = 40.0, 16000.0, 90.0
_SOFT, _LOUD = -50.0, -15.0
_COLOURS = np.array([[8, 8, 24], [44, 24, 96], [148, 44, 108], [236, 116, 72], [252, 240, 168]], dtype=float)


def picture(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return a picture, shape (height, width, 3)."""
    size = 4096
    starts = np.linspace(0, len(sound) - size, _WIDTH).astype(int)
    frames = np.stack([sound[start : start + size].mean(axis=1) for start in starts]) * np.hanning(size)
    power = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)) / size + 1e-9)
    hertz = _HIGH_HZ * (_LOW_HZ / _HIGH_HZ) ** (np.arange(_SPECTRUM) / (_SPECTRUM - 1))
    rows = np.rint(hertz * size / RATE).astype(int)
    # In steps of 3 dB, so that files stay small.
    share = np.rint(np.clip((power[:, rows].T - power.max() + _DEPTH_DB) / _DEPTH_DB, 0, 1) * 30) / 30
    spectrum = np.stack([np.interp(share * 4, np.arange(5), _COLOURS[:, n]) for n in range(3)], axis=2)
    level = np.full((_LEVEL, _WIDTH, 3), 255.0)
    for lufs in (-45, -35, -25):
        level[round((_LOUD - lufs) / (_LOUD - _SOFT) * (_LEVEL - 1))] = 216
    curve = short_term(sound)
    found = np.interp(np.linspace(0, 1, _WIDTH), np.linspace(0, 1, len(curve)), curve)
    height = np.clip((_LOUD - found) / (_LOUD - _SOFT) * (_LEVEL - 1), 0, _LEVEL - 2).astype(int)
    for column, row in enumerate(height):
        level[row : row + 2, column] = (0, 114, 178)
    return np.rint(np.vstack((spectrum, level))).astype(np.uint8)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.files:
        sound = soundfile.read(path, dtype="float32", always_2d=True)[0]
        (options.out / f"{path.stem}.png").write_bytes(png(picture(sound)))


if __name__ == "__main__":
    main()
