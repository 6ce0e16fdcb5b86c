"""Recording EEG while a session plays, and adapting the session to it: the options of `session play --record`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from therapy_gen.cli.output import clock, printable, say

if TYPE_CHECKING:
    from eeg.headset.recorder import Recorded, Recorder
    from sessions.export.audio import Sound
    from sessions.records import ItemRecord, SessionRecord
    from sessions.storage.store import Store
    from therapy_gen.study.adapt import AdaptiveItems

NO_TRANSITION = "silence"
# What `--adapt` alone means.
ADAPT = "on"
_YOKED = "yoked:"


def check_recording(record: str | None, out: Path | None, *, score: bool, adapt: str | None) -> None:
    """Refuse options of a recording that do not go together."""
    if record is None and (out is not None or score or adapt is not None):
        raise typer.BadParameter("-o, --score and --adapt belong to --record")
    if adapt is not None and adapt != ADAPT and _yoked_to(adapt) is None:
        raise typer.BadParameter(f"--adapt {printable(adapt)!r} is not known; give --adapt, or --adapt yoked:SESSION")
    if record is not None and out is None:
        raise typer.BadParameter("--record wants a file: give -o FILE.fif")
    if out is not None and out.suffix != ".fif":
        raise typer.BadParameter(f"-o {printable(str(out))} does not end in .fif, which is what is written")


def begin_recording(source: str | None, out: Path | None, *, any_contact: bool) -> Recorder | None:
    """Connect to a headset, check its contact, and begin to record; None without a source."""
    if source is None or out is None:
        return None
    from eeg.errors import DeadElectrodesError, RecordingError
    from eeg.headset import recorder

    try:
        return recorder.begin_recording(source, out, any_contact=any_contact)
    except DeadElectrodesError as error:
        raise RecordingError(
            f"dead electrodes: {', '.join(error.channels)}; mend their contact (therapy-gen headset check {source}), "
            "or begin all the same with --any-contact"
        ) from None


def tell_recorded(made: Recorded, *, quiet: bool) -> None:
    """Print facts about a finished recording."""
    lost = f", {made.lost_s:.1f} s of it lost and marked bad" if made.lost_s else ""
    say(
        f"recorded {clock(made.duration_s)} into {made.path}{lost}; what is heard is labelled within some "
        f"{1000 * made.jitter_s:.0f} ms (SD of the headset's clock)",
        quiet=quiet,
    )
    if made.problem:
        say(made.problem)


@dataclass
class ChosenWhilePlaying:
    """The items of an adaptive session, and the sound of each."""

    store: Store
    sound: Sound
    planned: tuple[ItemRecord, ...]
    chosen: AdaptiveItems
    begun: list[ItemRecord] = field(default_factory=list)
    going: bool = True

    def items(self) -> Iterator[ItemRecord]:
        """Give the items; each is chosen when the one before it has ended."""
        for item in self.chosen:
            self.begun.append(item)
            yield item
        self.going = False

    def sounds(self) -> Iterator[Iterator[Any]]:
        """Give the sound of the item that was given last."""
        from sessions.export.audio import sound_of_item

        while self.going:
            # Later items are not chosen yet; the planned ones stand in for them, to decide where layers end.
            items = [*self.begun, *self.planned[len(self.begun) :]]
            with sound_of_item(self.store, items, len(self.begun) - 1, self.sound) as blocks:
                yield blocks


def chosen_while_playing(
    store: Store, session: SessionRecord, adapt: str | None, out: Path | None, sound: Sound
) -> ChosenWhilePlaying | None:
    """Return the items of an adaptive session; None where the session is played in its own order.

    Decisions go to a file beside the recording.
    """
    if adapt is None or out is None:
        return None
    if sound.transition not in (None, NO_TRANSITION):
        say("nothing sounds between the pieces: which one comes next is chosen when the one before it has ended")
        sound = replace(sound, transition=NO_TRANSITION)
    from therapy_gen.study.adapt import Adaptive, AdaptiveItems, Yoked

    other = _yoked_to(adapt)
    choose = Adaptive(store, session, out, seed=session.seed) if other is None else Yoked(store, session, other)
    return ChosenWhilePlaying(
        store, sound, session.items, AdaptiveItems(session, choose, out.with_suffix(".decisions.jsonl"))
    )


def _yoked_to(adapt: str) -> int | None:
    number = adapt.removeprefix(_YOKED)
    return int(number) if adapt.startswith(_YOKED) and number.isascii() and number.isdigit() else None
