"""Scoring many recordings with progress and a summary, here or on a Dask cluster; failures are listed at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from therapy_gen.cli.output import count, print_json, progress, say, with_options

if TYPE_CHECKING:
    from sessions.storage.store import Store
    from therapy_gen.cli.context import GlobalOptions
    from therapy_gen.study.batch import Outcome, ScoringJob


def score_all(options: GlobalOptions, store: Store, jobs: Sequence[ScoringJob], cluster: str | None) -> list[Outcome]:
    """Score and store recordings, and rank their listeners' pieces; failures are reported without stopping the rest."""
    from therapy_gen.study.batch import run_jobs

    with progress(f"scoring {count(len(jobs), 'recording')}", float(len(jobs)), quiet=options.quiet) as advance:

        def done(outcome: Outcome) -> None:
            advance(1.0)
            if outcome.reason:
                named = outcome.path in outcome.reason
                say(outcome.reason if named else f"{outcome.path}: {outcome.reason}", quiet=options.quiet)

        return run_jobs(store.url.render_as_string(hide_password=False), jobs, cluster=cluster, done=done)


def tell(outcomes: Sequence[Outcome], document: dict[str, object], *, json: bool) -> None:
    """Print the outcome of each recording, and exit with 1 where one failed."""
    from therapy_gen.study.batch import FAILED

    found = Counter(one.status for one in outcomes)
    if json:
        print_json(
            {**document, "recordings": [{**one.__dict__, "reason": with_options(one.reason)} for one in outcomes]}
        )
    else:
        print(", ".join(f"{number} {status}" for status, number in found.items()))
    if found[FAILED]:
        raise typer.Exit(1)
