"""Which channels a score averages: all, those near the vertex, or those named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eeg.errors import ParameterError
from eeg.io.channels import CENTRAL, canonical
from eeg.io.recording import Recording


def scored_channels(recording: Recording, picks: str | Sequence[str]) -> tuple[int, ...]:
    """Return the EEG channels to average, as positions among the EEG channels.

    Parameters
    ----------
    recording : Recording
    picks : str or sequence of str
        As in `Settings`.

    Raises
    ------
    ParameterError
        There is no such channel, or none near the vertex.
    """
    eeg = [recording.channels[i] for i in recording.eeg]
    if picks == "all":
        return tuple(range(len(eeg)))
    if picks == "central":
        found = tuple(i for i, channel in enumerate(eeg) if channel.site in CENTRAL)
        if not found:
            raise ParameterError(
                f"{recording.path} has no channel near the vertex that its names tell "
                f"(its EEG channels: {some_of(c.label for c in eeg)}): give `picks` all or channel names"
            )
        return found
    names = [picks] if isinstance(picks, str) else list(picks)
    chosen = []
    for name in names:
        match = [i for i, channel in enumerate(eeg) if name == channel.name]
        match = match or [
            i for i, channel in enumerate(eeg) if canonical(name) in {canonical(channel.name), channel.site}
        ]
        if not match:
            raise ParameterError(
                f"`picks` {name}: {recording.path} has no such EEG channel (it has {some_of(c.label for c in eeg)})"
            )
        chosen.append(match[0])
    return tuple(dict.fromkeys(chosen))


def some_of(names: Iterable[str]) -> str:
    """Return a few of some names, with commas between."""
    listed = list(names)
    return ", ".join(listed[:12]) + (", …" if len(listed) > 12 else "")
