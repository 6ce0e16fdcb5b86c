"""What ties sessions and EEG together: scoring into the database, rankings, and what they say about the next session.

In: a store and recordings. Out: stored scores, rankings, preferences. Knows no command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.lazy import public_names

if TYPE_CHECKING:
    from therapy_gen.study.posterior import Ranker, evidence_for, preference_of

__all__ = ["Ranker", "evidence_for", "preference_of"]

__getattr__, __dir__ = public_names(
    __name__,
    {
        "Ranker": "therapy_gen.study.posterior",
        "evidence_for": "therapy_gen.study.posterior",
        "preference_of": "therapy_gen.study.posterior",
    },
)
