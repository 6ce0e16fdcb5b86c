"""Cut the embedded instruments, therapy_gen/assets/instruments.sf3, out of MuseScore General.

python benchmarks/sound/instruments.py MuseScore_General_Lite.sf3 -o therapy_gen/assets/instruments.sf3

The source is MuseScore_General_HQ 0.2.1 as Debian packages it (musescore-general-soundfont-small), MIT with parts in
the public domain and CC0; its licence goes with the cut as therapy_gen/assets/instruments-licence.txt. Samples are
copied byte for byte (Ogg Vorbis); generators and modulators stay as they are, but for the piano's and the harp's
release. What is left out: banks of variations, sound effects, instruments that nobody meets in calm music, and the
piano's hard strokes, whose place the soft ones take.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
from pathlib import Path

from therapy_gen.music.audio.instruments import soundfont_file as sf

SOURCE_SHA256 = "916aaca6b0eb9f9083eb42399614acb2ff4ec72ce28dffff1814592a9696b479"
# Of each family of General MIDI what a family's others are then played by (`SoundFont._preset`), and what the palettes
# use.
PROGRAMS = (0, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 19, 21, 24, 25, 26, 32, 33, 40, 41, 42, 43, 46, 48, 49, 52, 53, 56)
PROGRAMS += (57, 60, 64, 65, 68, 69, 70, 71, 73, 74, 75, 77, 79, 80, 88, 89, 91, 92, 95, 104, 105, 107, 108, 114)
DRUMS = (128, 0)
# The piano is set up anew from its soft strokes, one zone for each key and channel. The font's own is filtered: energy
# above 4 kHz lay 53 dB below the rest where this has it at 25 to 30 dB (benchmarks/sound/sound.py).
PIANO = (0, 0)
# In timecents. A harp's strings would ring on for seconds after the harmony has changed.
RELEASES = {46: 1586}
_KEPT = ("PAN", "KEY_RANGE", "VOL_HOLD", "VOL_DECAY", "VOL_SUSTAIN", "SAMPLE_MODES", "ROOT_KEY", "FINE_TUNE")
_PIANO_RELEASE, _PIANO_ATTENUATION, _PIANO_WIDTH = -1400, 80, 0.8
# Of a stroke of velocity 127, in cents as generators count them; softer ones are darker by up to the second.
_PIANO_CUTOFF, _PIANO_DARKER = 13500, -2600


def main() -> None:
    """Read, cut, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    digest = hashlib.sha256(options.source.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        print(f"note: {options.source} is another version ({digest})")
    options.out.write_bytes(cut(sf.SoundFontFile(options.source)))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


Zone = tuple[list[tuple[int, int]], list[tuple[int, ...]]]


class _Rows:
    """Generators and modulators of zones, gathered anew."""

    def __init__(self) -> None:
        self.bags: list[tuple[int, int]] = []
        self.generators: list[tuple[int, int]] = []
        self.modulators: list[tuple[int, ...]] = []

    def zone(self, generators: list[tuple[int, int]], modulators: list[tuple[int, ...]]) -> None:
        self.bags.append((len(self.generators), len(self.modulators)))
        self.generators += generators
        self.modulators += modulators

    def chunks(self, names: tuple[str, str, str]) -> bytes:
        self.zone([(0, 0)], [(0, 0, 0, 0, 0)])
        columns = ((names[0], "<HH", self.bags), (names[1], "<HHHHH", self.modulators))
        out = b"".join(
            _chunk(name, b"".join(struct.pack(form, *(v & 0xFFFF for v in row)) for row in rows))
            for name, form, rows in columns
        )
        return out + _chunk(names[2], b"".join(struct.pack("<HH", a, b & 0xFFFF) for a, b in self.generators))


def cut(font: sf.SoundFontFile) -> bytes:
    """Return a soundfont that has only `PROGRAMS` and `DRUMS` of another."""
    presets, instruments = _Rows(), _Rows()
    preset_heads, instrument_heads = [], []
    instrument_numbers: dict[int, int] = {}
    sample_numbers: dict[int, int] = {}
    for place in (*((0, program) for program in PROGRAMS), DRUMS):
        index = font.programs[place]
        head = font._presets[0][index]
        preset_heads.append(
            struct.pack("<20sHHHIII", bytes(head["name"]), head["program"], head["bank"], len(presets.bags), 0, 0, 0)
        )
        zones = _raw_zones(font._presets, index)
        if place == PIANO:
            zones = [([(int(sf.Generator.INSTRUMENT), _soft_piano(font, zones))], [])]
        for generators, modulators in zones:
            if generators and generators[-1][0] == sf.Generator.INSTRUMENT:
                number = generators[-1][1] & 0xFFFF
                if number not in instrument_numbers:
                    instrument_numbers[number] = len(instrument_heads)
                    name = bytes(font._instruments[0][number]["name"])
                    instrument_heads.append(struct.pack("<20sH", name, len(instruments.bags)))
                    raw = _raw_zones(font._instruments, number)
                    raw = _felt(raw) if place == PIANO else _released(raw, RELEASES.get(place[1]))
                    _instrument(raw, instruments, sample_numbers)
                generators = [*generators[:-1], (int(sf.Generator.INSTRUMENT), instrument_numbers[number])]
            presets.zone(generators, modulators)
    preset_heads.append(struct.pack("<20sHHHIII", b"EOP", 0, 0, len(presets.bags), 0, 0, 0))
    instrument_heads.append(struct.pack("<20sH", b"EOI", len(instruments.bags)))
    sounds, headers = _samples(font, sample_numbers)
    pdta = (
        _chunk("phdr", b"".join(preset_heads))
        + presets.chunks(("pbag", "pmod", "pgen"))
        + _chunk("inst", b"".join(instrument_heads))
        + instruments.chunks(("ibag", "imod", "igen"))
        + _chunk("shdr", headers)
    )
    info = _chunk("ifil", struct.pack("<HH", 3, 0)) + _chunk("isng", b"EMU8000\0")
    info += _chunk("INAM", _text("therapy-gen instruments, from MuseScore General 0.2.1"))
    info += _chunk("ICOP", _text("MIT; parts public domain and CC0: see instruments-licence.txt"))
    body = b"sfbk" + _list("INFO", info) + _list("sdta", _chunk("smpl", sounds)) + _list("pdta", pdta)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _raw_zones(rows: tuple[sf.Records, ...], owner: int) -> list[Zone]:
    owners, bags, generators, modulators = rows
    found = []
    for bag in range(int(owners["bag"][owner]), int(owners["bag"][owner + 1])):
        own = generators[int(bags["generator"][bag]) : int(bags["generator"][bag + 1])].tolist()
        moved = modulators[int(bags["modulator"][bag]) : int(bags["modulator"][bag + 1])].tolist()
        found.append((own, moved))
    return found


def _soft_piano(font: sf.SoundFontFile, zones: list[Zone]) -> int:
    """Return the number of the first instrument of a preset that plays soft strokes."""
    for generators, _ in zones:
        if generators and generators[-1][0] == sf.Generator.INSTRUMENT:
            number = generators[-1][1] & 0xFFFF
            played = [own[-1][1] & 0xFFFF for own, _ in _raw_zones(font._instruments, number) if own]
            if "Piano MF" in font.headers[played[-1]]["name"].decode():
                return number
    raise ValueError("no soft piano in this font")


def _felt(zones: list[Zone]) -> list[Zone]:
    """Return zones of a piano that grows darker the softer it is struck, and nothing else."""
    kept = {int(sf.Generator[name]) for name in _KEPT}
    darker = (0x0102, int(sf.Generator.FILTER_CUTOFF), _PIANO_DARKER, 0, 0)
    made = []
    common: dict[int, int] = {}
    for generators, _ in zones:
        if not generators or generators[-1][0] != sf.Generator.SAMPLE:
            common = common or dict(generators)
            continue
        own = [(which, amount) for which, amount in (common | dict(generators[:-1])).items() if which in kept]
        own = [(which, round(amount * _PIANO_WIDTH) if which == sf.Generator.PAN else amount) for which, amount in own]
        own += [
            (int(sf.Generator.VOL_RELEASE), _PIANO_RELEASE),
            (int(sf.Generator.ATTENUATION), _PIANO_ATTENUATION),
            (int(sf.Generator.FILTER_CUTOFF), _PIANO_CUTOFF),
        ]
        # A key range comes first (section 8.1.2).
        own.sort(key=lambda pair: pair[0] != sf.Generator.KEY_RANGE)
        made.append(([*own, generators[-1]], [darker]))
    return made


def _released(zones: list[Zone], timecents: int | None) -> list[Zone]:
    """Return zones with a release of their own."""
    if timecents is None:
        return zones
    release = int(sf.Generator.VOL_RELEASE)
    made = []
    for generators, modulators in zones:
        own = [(which, timecents if which == release else amount) for which, amount in generators]
        made.append((own, modulators))
    return made


def _instrument(zones: list[Zone], rows: _Rows, sample_numbers: dict[int, int]) -> None:
    for generators, modulators in zones:
        if generators and generators[-1][0] == sf.Generator.SAMPLE:
            number = sample_numbers.setdefault(generators[-1][1] & 0xFFFF, len(sample_numbers))
            generators = [*generators[:-1], (int(sf.Generator.SAMPLE), number)]
        rows.zone(generators, modulators)


def _samples(font: sf.SoundFontFile, numbers: dict[int, int]) -> tuple[bytes, bytes]:
    sounds, headers = bytearray(), b""
    for old in numbers:
        head = font.headers[old]
        start = len(sounds)
        sounds += bytes(font._samples[int(head["start"]) : int(head["end"])])
        places = (start, len(sounds), int(head["loop_start"]), int(head["loop_end"]), int(head["rate"]))
        link = numbers.get(int(head["link"]), 0)
        headers += struct.pack(
            "<20sIIIIIBbHH", bytes(head["name"]), *places, head["key"], head["correction"], link, head["type"]
        )
    if len(sounds) % 2:
        sounds += b"\0"
    return bytes(sounds), headers + struct.pack("<20s26x", b"EOS")


def _chunk(name: str, body: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _list(kind: str, body: bytes) -> bytes:
    return _chunk("LIST", kind.encode() + body)


def _text(text: str) -> bytes:
    return text.encode() + b"\0" * (2 - len(text) % 2)


if __name__ == "__main__":
    main()
