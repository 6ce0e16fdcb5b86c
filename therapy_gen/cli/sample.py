"""`therapy-gen sample` and `therapy-gen interpolate`: single sections as MIDI files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.completion import model_names, one_of, palette_names
from therapy_gen.cli.context import DEFAULT_MODEL, drawn_seed, global_options, use_one_thread
from therapy_gen.cli.output import AsJson, print_json, print_table, printable, say
from therapy_gen.music.arranging.palettes import PALETTES

if TYPE_CHECKING:
    from sessions.composing.samples import WrittenSection

SAMPLE_EPILOG = "Example: therapy-gen sample -n 8 --seed 1 -o samples"
INTERPOLATE_EPILOG = "Example: therapy-gen interpolate a.mid b.mid --steps 8 -o way"

ModelOption = Annotated[
    str, typer.Option(metavar="NAME_OR_FILE", autocompletion=model_names, help="Model that writes the music")
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="numpy|magenta",
        autocompletion=one_of("numpy", "magenta"),
        help="What runs it: NumPy, or Magenta's own TrainedModel",
    ),
]
Folder = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the files; those of the same names are replaced")
]
Palette = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", autocompletion=palette_names, help=f"Instruments: {', '.join(PALETTES)}  [default: piano]"
    ),
]
Arranged = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=palette_names,
        help=f"Arrange the steps for {', '.join(PALETTES)}  [default: the plain notes]",
    ),
]


def sample(
    context: typer.Context,
    out: Folder,
    count: Annotated[int, typer.Option("-n", metavar="N", help="How many")] = 8,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T", help="How freely the model chooses, 0.05 to 2  [default: 0.05; 0.5 without a memory]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed and model give the same files  [default: drawn]")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    engine: EngineOption = "numpy",
    palette: Palette = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="midi|musicxml",
            autocompletion=one_of("midi", "musicxml"),
            help="Files to play, or scores to read",
        ),
    ] = "midi",
    plain: Annotated[
        bool, typer.Option("--plain", help="MIDI as the score has it: on the grid, one tempo, one loudness, no pedal")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write pieces from the model's prior, as MIDI or as scores."""
    use_one_thread()
    from sessions.composing.samples import write_samples

    seed = drawn_seed() if seed is None else seed
    samples = write_samples(
        global_options(context).engine(model, engine, seed),
        out,
        count=count,
        seed=seed,
        temperature=temperature,
        palette=palette,
        format=format_,
        plain=plain,
    )
    if json:
        print_json({"seed": seed, "samples": [_document(sample) for sample in samples]})
    else:
        rows = [(str(sample.path), sample.title, f"{sample.calm or 0:.2f}") for sample in samples]
        print_table(("file", "title", "calm"), rows, right=(2,))


def interpolate(
    context: typer.Context,
    start: Annotated[Path, typer.Argument(metavar="A.mid", help="Beginning: its best bars are used")],
    end: Annotated[Path, typer.Argument(metavar="B.mid", help="End")],
    out: Folder,
    steps: Annotated[int, typer.Option(metavar="N", help="Files to write, both ends included")] = 8,
    model: ModelOption = DEFAULT_MODEL,
    engine: EngineOption = "numpy",
    smooth: Annotated[bool, typer.Option("--smooth", help="Make every step change the music equally")] = False,
    joined: Annotated[bool, typer.Option("--joined", help="Also write all steps as one file, way.mid")] = False,
    palette: Arranged = None,
    json: AsJson = False,
) -> None:
    """Interpolate from one MIDI file to another through the latent space."""
    use_one_thread()
    from sessions.composing.interpolation import write_interpolation

    options = global_options(context)
    interpolation = write_interpolation(
        options.engine(model, engine), start, end, out, steps=steps, palette=palette, smooth=smooth, joined=joined
    )
    for path, taken in zip((start, end), interpolation.ends, strict=True):
        bars = f"bars {taken.bar} to {taken.bar + taken.bars - 1}" if taken.bars > 1 else f"bar {taken.bar}"
        say("; ".join((f"{path}: {bars} taken", *taken.remarks)), quiet=options.quiet)
    changes = [None, *interpolation.changes]
    if json:
        documents = [
            {**_document(sample), "change": change}
            for sample, change in zip(interpolation.samples, changes, strict=True)
        ]
        ends = [
            {"file": str(path), "bar": end.bar, "bars": end.bars, "remarks": list(end.remarks)}
            for path, end in zip((start, end), interpolation.ends, strict=True)
        ]
        joined_file = None if interpolation.joined is None else str(interpolation.joined)
        print_json(
            {"steps": documents, "unevenness": round(interpolation.unevenness, 4), "joined": joined_file, "taken": ends}
        )
        return
    rows = [
        (str(sample.path), sample.key, "" if change is None else f"{change:.0%}")
        for sample, change in zip(interpolation.samples, changes, strict=True)
    ]
    print_table(("file", "key", "change"), rows, right=(2,))
    print(
        f"Deviation of the changes over their mean: {interpolation.unevenness:.2f}"
        + ("" if smooth else " (even: --smooth)")
    )
    if interpolation.joined is not None:
        print(printable(str(interpolation.joined)))


def _document(sample: WrittenSection) -> dict[str, Any]:
    return {"file": str(sample.path), "title": sample.title, "key": sample.key, "calm": sample.calm}
