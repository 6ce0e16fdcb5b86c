"""Reading annotations: labels of pieces, sessions and silences, and the ends that belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eeg.io.recording import Annotation

# Marks are rounded by recorders; items may touch, and overlap by this much.
TOLERANCE_S = 0.05
# BrainVision and EEGLAB write a moment as one sample long.
_MOMENT_SAMPLES = 1.5

# `Stimulus/`, `Comment/` and the like are put in front by BrainVision.
_LABEL = re.compile(r"(?:^|/)(piece|session)[/ ]([^/\s]+)\s*$", re.IGNORECASE)
_SILENCE = re.compile(r"(?:^|/)((?:silence|baseline)(?:/[^/]*)?)$", re.IGNORECASE)
# The end of a play or silence whose annotation has no duration, as `session play --lsl` sends it.
_END = re.compile(r"(?:^|/)end/([^/\s]+)\s*$", re.IGNORECASE)
# Where a recording was stopped and went on (BrainVision), and where EEGLAB joined data or cut some out.
_SEAM = re.compile(r"(?:^|/)\s*(?:new segment(?:/.*)?|boundary)\s*$", re.IGNORECASE)
_QUIET_NAMES = {"silence", "baseline"}


@dataclass(frozen=True)
class Labels:
    """The annotations that name something, by onset; moments have duration 0.

    Parameters
    ----------
    pieces, sessions : tuple of (str, Annotation)
        With the id that is named. Pieces have the duration that their own annotation or its end gives them.
    silences : tuple of Annotation
        Only those whose length is known.
    lost : tuple of Annotation
        Ends of plays whose beginning is not marked.
    """

    pieces: tuple[tuple[str, Annotation], ...]
    sessions: tuple[tuple[str, Annotation], ...]
    silences: tuple[Annotation, ...]
    lost: tuple[Annotation, ...]


def read_labels(annotations: Sequence[Annotation], sfreq: float) -> Labels:
    """Sort annotations by what they name, and give each play and silence its length from its end marker.

    An end belongs to the last beginning before it that has its name.

    Parameters
    ----------
    annotations : sequence of Annotation
        By onset.
    sfreq : float
        Of the recording, in Hz.
    """
    begun: list[tuple[str, str, Annotation]] = []
    sessions: list[tuple[str, Annotation]] = []
    ends: list[tuple[str, Annotation]] = []
    for annotation in annotations:
        # EEGLAB writes a missing duration as NaN, which is not longer either.
        if not annotation.duration_s * sfreq > _MOMENT_SAMPLES:
            annotation = replace(annotation, duration_s=0.0)
        if match := _END.search(annotation.text):
            ends.append((match.group(1), annotation))
        elif match := _LABEL.search(annotation.text):
            if match.group(1).lower() == "session":
                sessions.append((match.group(2), annotation))
            else:
                begun.append(("piece", match.group(2), annotation))
        elif match := _SILENCE.search(annotation.text):
            begun.append(("silence", match.group(1).rsplit("/", 1)[-1].strip(), annotation))
    names = {name for role, name, _ in begun if role == "piece"}
    lost: list[tuple[str, Annotation]] = []
    ended: set[int] = set()
    for name, end in ends:
        at = _begun_before(begun, name, end.onset_s)
        if at is not None:
            role, _, annotation = begun[at]
            # Something else ended in between, so that another one of this name must have begun after it.
            other = any(of.onset_s > annotation.onset_s for what, of in lost if role == "silence" or what in names)
            if at not in ended and not other:
                ended.add(at)
                if annotation.duration_s <= 0:
                    begun[at] = role, name, replace(annotation, duration_s=end.onset_s - annotation.onset_s)
                continue
        if name.lower() not in _QUIET_NAMES:
            lost.append((name, end))
    return Labels(
        pieces=tuple((name, annotation) for role, name, annotation in begun if role == "piece"),
        sessions=tuple(sessions),
        silences=tuple(annotation for role, _, annotation in begun if role == "silence" and annotation.duration_s > 0),
        lost=tuple(end for _, end in lost),
    )


def _begun_before(begun: Sequence[tuple[str, str, Annotation]], name: str, end_s: float) -> int | None:
    """Return the annotation an end belongs to; the next item may be marked a moment before the end."""
    for i in range(len(begun) - 1, -1, -1):
        _, of, annotation = begun[i]
        if of == name and annotation.onset_s < end_s:
            return i
        if annotation.onset_s < end_s - TOLERANCE_S:
            return None
    return None


# Recorders' own labels, which do not stand for anything heard.
_OWN = re.compile(
    r"(?:^|/)\s*(?:bad|edge|boundary|new segment|end|start|stop|recording|sync|impedance|response)\w*(?:[/ _].*)?$",
    re.IGNORECASE,
)


def relabel(
    annotations: Sequence[Annotation], labels: Mapping[str, str] | None, *, any_label: bool = False
) -> list[Annotation]:
    """Return annotations with labels of one's own as ``piece/<id>``.

    Parameters
    ----------
    annotations : sequence of Annotation
        By onset.
    labels : mapping of str to str, optional
        From a label, as it is written or behind the last ``/``, to a piece.
    any_label : bool
        Take every other label that is no recorder's word for the name of a piece. One that gives no length lasts until
        the next one; the last of all is left out then.
    """
    known = {label.strip().lower(): piece for label, piece in (labels or {}).items()}
    found: list[Annotation] = []
    mine: list[int] = []
    for one in annotations:
        last = one.text.rsplit("/", 1)[-1].strip()
        piece = known.get(one.text.strip().lower()) or known.get(last.lower())
        if piece is None and any_label and last and not _means_something(one.text):
            piece = re.sub(r"[\s/]+", "_", last)
            mine.append(len(found))
        text = one.text if piece is None else piece if piece == "silence" else f"piece/{piece.removeprefix('piece/')}"
        found.append(replace(one, text=text))
    lost = set()
    for at in mine:
        if found[at].duration_s > 0:
            continue
        later = [one.onset_s for one in found[at + 1 :] if one.onset_s > found[at].onset_s and _begins(one)]
        end = min(later, default=None)
        if end is None:
            lost.add(at)
        else:
            found[at] = replace(found[at], duration_s=end - found[at].onset_s)
    return [one for i, one in enumerate(found) if i not in lost]


def _means_something(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_LABEL, _SILENCE, _END, _SEAM, _OWN))


def _begins(one: Annotation) -> bool:
    return any(pattern.search(one.text) for pattern in (_LABEL, _SILENCE, _END))


def seams(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return the annotations behind which the clock of a recording need not be the one before; none at its start."""
    return [annotation for annotation in annotations if annotation.onset_s > 0 and _SEAM.search(annotation.text)]


def labels_of(annotations: Iterable[Annotation]) -> str:
    """Return the texts of annotations in words, for an error."""
    text = few((annotation.text for annotation in annotations), 12)
    return f"labels found: {text}" if text else "it holds no labels"


def few(texts: Iterable[str], most: int = 3) -> str:
    """Return some of the texts, each once, with commas between."""
    each = list(dict.fromkeys(texts))
    return ", ".join(each[:most]) + (", …" if len(each) > most else "")
