"""Sessions and EEG together: scoring into the database, rankings, and choosing the next session's pieces.

In: a store and recordings. Out: stored scores, rankings, preferences. Knows no command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.lazy import public_names

if TYPE_CHECKING:
    from therapy_gen.study.posterior import preference_of
    from therapy_gen.study.score_and_rank import rank_listener, score_and_store

__all__ = ["preference_of", "rank_listener", "score_and_store"]

__getattr__, __dir__ = public_names(
    __name__,
    {
        "preference_of": "therapy_gen.study.posterior",
        "rank_listener": "therapy_gen.study.score_and_rank",
        "score_and_store": "therapy_gen.study.score_and_rank",
    },
)
