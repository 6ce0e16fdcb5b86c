"""What marks say: labels of pieces, sessions and silences, moments, and the ends that belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from eeg.io.recording import Mark

# Marks are rounded by recorders; items may touch, and overlap by this much.
TOLERANCE_S = 0.05
# BrainVision and EEGLAB write a moment as one sample long.
MOMENT_SAMPLES = 1.5

# `Stimulus/`, `Comment/` and the like are put in front by BrainVision.
_LABEL = re.compile(r"(?:^|/)(piece|session)[/ ]([^/\s]+)\s*$", re.IGNORECASE)
_SILENCE = re.compile(r"(?:^|/)((?:silence|baseline)(?:/[^/]*)?)$", re.IGNORECASE)
# Where a play or a silence ends that its mark gives no duration, as `session play --lsl` sends it.
_END = re.compile(r"(?:^|/)end/([^/\s]+)\s*$", re.IGNORECASE)
# Where a recording was stopped and went on (BrainVision), and where EEGLAB joined data or cut some out.
_SEAM = re.compile(r"(?:^|/)\s*(?:new segment(?:/.*)?|boundary)\s*$", re.IGNORECASE)
_QUIET_NAMES = {"silence", "baseline"}


@dataclass(frozen=True)
class Labels:
    """The marks that name something, by onset; moments have duration 0.

    Parameters
    ----------
    pieces, sessions : tuple of (str, Mark)
        With the id that is named. Pieces have the duration that their own mark or its end gives them.
    silences : tuple of Mark
        Only those whose length is known.
    lost : tuple of Mark
        Ends of plays whose beginning is not marked.
    """

    pieces: tuple[tuple[str, Mark], ...]
    sessions: tuple[tuple[str, Mark], ...]
    silences: tuple[Mark, ...]
    lost: tuple[Mark, ...]


def read_labels(marks: Sequence[Mark], sfreq: float) -> Labels:
    """Sort marks by what they name, and give each play and silence the length that its end says.

    An end belongs to what began last before it, where that has its name.

    Parameters
    ----------
    marks : sequence of Mark
        By onset.
    sfreq : float
        Of the recording, in Hz.
    """
    begun: list[tuple[str, str, Mark]] = []
    sessions: list[tuple[str, Mark]] = []
    ends: list[tuple[str, Mark]] = []
    for mark in marks:
        # EEGLAB writes a missing duration as NaN, which is not longer either.
        if not mark.duration_s * sfreq > MOMENT_SAMPLES:
            mark = replace(mark, duration_s=0.0)
        if match := _END.search(mark.text):
            ends.append((match.group(1), mark))
        elif match := _LABEL.search(mark.text):
            if match.group(1).lower() == "session":
                sessions.append((match.group(2), mark))
            else:
                begun.append(("piece", match.group(2), mark))
        elif match := _SILENCE.search(mark.text):
            begun.append(("silence", match.group(1).rsplit("/", 1)[-1].strip(), mark))
    names = {name for role, name, _ in begun if role == "piece"}
    lost: list[tuple[str, Mark]] = []
    ended: set[int] = set()
    for name, end in ends:
        at = _begun_before(begun, name, end.onset_s)
        if at is not None:
            role, _, mark = begun[at]
            # Something else ended in between, so that another one of this name must have begun after it.
            other = any(of.onset_s > mark.onset_s for what, of in lost if role == "silence" or what in names)
            if at not in ended and not other:
                ended.add(at)
                if mark.duration_s <= 0:
                    begun[at] = role, name, replace(mark, duration_s=end.onset_s - mark.onset_s)
                continue
        if name.lower() not in _QUIET_NAMES:
            lost.append((name, end))
    return Labels(
        pieces=tuple((name, mark) for role, name, mark in begun if role == "piece"),
        sessions=tuple(sessions),
        silences=tuple(mark for role, _, mark in begun if role == "silence" and mark.duration_s > 0),
        lost=tuple(end for _, end in lost),
    )


def _begun_before(begun: Sequence[tuple[str, str, Mark]], name: str, end_s: float) -> int | None:
    """Return which mark an end belongs to; what begins as it ends may be marked a moment before it."""
    for i in range(len(begun) - 1, -1, -1):
        _, of, mark = begun[i]
        if of == name and mark.onset_s < end_s:
            return i
        if mark.onset_s < end_s - TOLERANCE_S:
            return None
    return None


def seams(marks: Iterable[Mark]) -> list[Mark]:
    """Return the marks behind which the clock of a recording need not be the one before; none at its beginning."""
    return [mark for mark in marks if mark.onset_s > 0 and _SEAM.search(mark.text)]


def labels_of(marks: Iterable[Mark]) -> str:
    """Return the texts of marks in words, for an error."""
    text = few((mark.text for mark in marks), 12)
    return f"labels found: {text}" if text else "it holds no labels"


def few(texts: Iterable[str], most: int = 3) -> str:
    """Return some of the texts, each once, with commas between."""
    each = list(dict.fromkeys(texts))
    return ", ".join(each[:most]) + (", …" if len(each) > most else "")
