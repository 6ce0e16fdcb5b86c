"""`therapy-gen sample` and `therapy-gen interpolate`: single sections as MIDI files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.output import AsJson, print_json, print_table
from therapy_gen.cli.settings import DEFAULT_MODEL, drawn_seed, settings, use_one_thread

if TYPE_CHECKING:
    from sessions.sketches import Sketch

SAMPLE_EPILOG = "Example: therapy-gen sample -n 8 --seed 1 -o samples"
INTERPOLATE_EPILOG = "Example: therapy-gen interpolate a.mid b.mid --steps 8 -o way"

ModelOption = Annotated[str, typer.Option(metavar="NAME_OR_FILE", help="Model that writes the music")]
Folder = Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the files")]
Palette = Annotated[str | None, typer.Option(metavar="NAME", help="Instruments  [default: piano]")]


def sample(
    context: typer.Context,
    out: Folder,
    count: Annotated[int, typer.Option("-n", metavar="N", help="How many")] = 8,
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="How freely the model chooses, 0.05 to 2  [default: 0.8]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed and model give the same files  [default: drawn]")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    palette: Palette = None,
    json: AsJson = False,
) -> None:
    """Write pieces of sixteen bars from the model's prior, as MIDI."""
    use_one_thread()
    from sessions.compose import DEFAULT_PALETTE, DEFAULT_TEMPERATURE
    from sessions.sketches import write_samples

    seed = drawn_seed() if seed is None else seed
    sketches = write_samples(
        settings(context).model(model),
        out,
        count=count,
        seed=seed,
        temperature=DEFAULT_TEMPERATURE if temperature is None else temperature,
        palette=palette or DEFAULT_PALETTE,
    )
    if json:
        print_json({"seed": seed, "samples": [_document(sketch) for sketch in sketches]})
    else:
        rows = [(str(sketch.path), sketch.title, f"{sketch.calm or 0:.2f}") for sketch in sketches]
        print_table(("file", "title", "calm"), rows, right=(2,))


def interpolate(
    context: typer.Context,
    start: Annotated[Path, typer.Argument(metavar="A.mid", help="Where the way begins: its first sixteen bars")],
    end: Annotated[Path, typer.Argument(metavar="B.mid", help="Where the way ends")],
    out: Folder,
    steps: Annotated[int, typer.Option(metavar="N", help="Files to write, both ends included")] = 8,
    model: ModelOption = DEFAULT_MODEL,
    palette: Palette = None,
    json: AsJson = False,
) -> None:
    """Write the way from one MIDI file to another through the latent space."""
    use_one_thread()
    from sessions.compose import DEFAULT_PALETTE
    from sessions.sketches import write_way

    sketches = write_way(
        settings(context).model(model), start, end, out, steps=steps, palette=palette or DEFAULT_PALETTE
    )
    if json:
        print_json({"steps": [_document(sketch) for sketch in sketches]})
    else:
        print_table(("file", "key"), [(str(sketch.path), sketch.key) for sketch in sketches])


def _document(sketch: Sketch) -> dict[str, Any]:
    return {"file": str(sketch.path), "title": sketch.title, "key": sketch.key, "calm": sketch.calm}
