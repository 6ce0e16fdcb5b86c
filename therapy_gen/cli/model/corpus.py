"""Reading folders of scores into windows, here or on a Dask cluster, with progress."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.output import progress

if TYPE_CHECKING:
    from therapy_gen.music.corpus.corpus import Corpus

Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS|local:N", help="Read the scores on a Dask cluster, or in N processes here"),
]

_WORKERS = 2


def read_corpus(
    folders: list[Path], bars: int, *, leave_out: Iterable[str] = (), cluster: str | None = None, quiet: bool
) -> Corpus:
    """Return the windows of all scores in folders, for models of so many bars; the same wherever they are read."""
    from therapy_gen.music.corpus.corpus import build_corpus
    from therapy_gen.music.corpus.windows import WindowSettings

    with ExitStack() as stack:
        over = None
        if cluster is not None:
            from therapy_gen.study.cluster import mapped

            over = stack.enter_context(mapped(cluster))
        advance = stack.enter_context(progress("reading scores", 1.0, quiet=quiet))
        return build_corpus(
            folders,
            WindowSettings.for_models_of(bars),
            leave_out=leave_out,
            workers=_WORKERS,
            over=over,
            progress=lambda done, of: advance(1.0 / of),
        )
