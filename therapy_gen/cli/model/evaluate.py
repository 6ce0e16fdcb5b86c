"""`therapy-gen model eval`: measures of a model on music it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from therapy_gen.cli.completion import model_names
from therapy_gen.cli.context import global_options, use_one_thread
from therapy_gen.cli.model.corpus import Cluster, read_corpus
from therapy_gen.cli.output import AsJson, print_json, print_table, say

EPILOG = "Example: therapy-gen model eval mine held-out-midi/"

_LARGEST_DIMENSIONS = 8


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="M", autocompletion=model_names, help="Name or file of a model")],
    corpus: Annotated[
        list[Path],
        typer.Argument(metavar="CORPUS...", help="Folders of scores, preferably not those it was trained on"),
    ],
    most: Annotated[int, typer.Option(metavar="N", help="Measure on this many sections, spread over the pieces")] = 128,
    calmest: Annotated[float, typer.Option(help="Share of the sections to use, by calmness; 0 to 1")] = 1.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the random draws")] = 0,
    cluster: Cluster = None,
    json: AsJson = False,
) -> None:
    """Measure reconstruction, use of the latent space, interpolation, and how samples compare with the music.

    Of the corpus a model was trained on, only the pieces held out from training are used.
    """
    use_one_thread()
    import numpy as np

    from sessions.builder import check_seed
    from therapy_gen.errors import InputError
    from therapy_gen.music.metre import metre_of
    from therapy_gen.music.tonality import MODES
    from therapy_gen.musicvae.evaluation import measure_model, sections_for
    from therapy_gen.musicvae.load import open_model

    if most < 2:
        raise InputError(f"--most {most} is too few; give 2 or more")
    if not 0 < calmest <= 1:
        raise InputError(f"--calmest {calmest} is out of range; give a share above 0, up to 1")
    check_seed(seed)
    options = global_options(context)
    found = open_model(model, options.models_folder())
    windows = read_corpus(corpus, found.config.bars, cluster=cluster, quiet=options.quiet)
    own = windows.digest == dict(found.facts).get("corpus_digest")
    chosen = windows.choose(held_out=True, calmest=calmest)
    if not own:
        chosen = np.sort(np.concatenate([chosen, windows.choose(held_out=False, calmest=calmest)]))
    if own:
        say("this is the corpus it was trained on: the pieces held out from training are used", quiet=options.quiet)
    known = np.isin(windows.metre[chosen], found.metres)
    if not known.all():
        names = " or ".join(metre_of(beats).name for beats in found.metres)
        say(f"{(~known).sum()} of {len(known)} windows are not in {names}: left out", quiet=options.quiet)
        chosen = chosen[known]
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
    sections, used = sections_for(found, windows.tokens[chosen])
    chosen = chosen[used]
    if len(sections) < 2:
        raise InputError(f"{corpus[0]} holds {len(sections)} sections that the model can read; two or more are needed")
    minor = windows.mode[chosen] == MODES.index("minor")
    figures = measure_model(found, sections, minor=minor, metre=windows.metre[chosen], seed=seed)
    if json:
        print_json({"model": found.name, "held_out": own, **figures})
    else:
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    print(f"{figures['sections']} sections")
    if "voices" in figures:
        print()
        columns = ("teacher_forced", "greedy", "sampled", "holds")
        print_table(
            ("right steps", "true past", "own past", "drawn", "all holds"),
            [(name, *(f"{row[column]:.3f}" for column in columns)) for name, row in figures["voices"].items()],
            right=(1, 2, 3, 4),
        )
        nats, way = figures["nats"], figures["interpolation"]
        largest = " ".join(f"{value:.2f}" for value in figures["kl_per_dimension"][:_LARGEST_DIMENSIONS])
        print(f"\nreconstruction {nats['reconstruction']:.1f} nats, KL {nats['kl']:.1f} nats a section")
        print(f"{figures['active_units']} of {figures['latent_dimensions']} latent dimensions in use")
        print(f"KL of the largest, in nats: {largest}")
        if way:
            print(
                f"interpolation: {way['change']:.0%} changes from step to step "
                f"(largest step {way['largest_change']:.0%}, "
                f"deviation over mean {way['unevenness']:.2f}), {way['ways']} ways of 8 steps"
            )
    else:
        print("The model has no complete encoder: only its samples are measured.")
    print()
    rows = [
        (name.replace("_", " "), *(f"{row[column]:.3f}" for column in ("real", "made", "overlap", "kl")))
        for name, row in figures["distribution"].items()
    ]
    print_table(("mean of", "music", "samples", "overlap", "KL, nats"), rows, right=(1, 2, 3, 4))
