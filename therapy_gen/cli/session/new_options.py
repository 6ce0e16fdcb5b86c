"""Reading the options of `therapy-gen session new`, and rendering its sound."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli.listener import warn_of_similar
from therapy_gen.cli.output import progress, say
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES

if TYPE_CHECKING:
    from sessions.export.audio import Sound
    from sessions.planning.choosing import Preference
    from sessions.records import SessionRecord
    from sessions.storage.store import Store

AttributePairs = dict[str, tuple[float, float]]


def with_attribute_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each attribute that has one, in place of its parameter `attributes`."""
    options = {name: kind.option for name, kind in ATTRIBUTES.items() if kind.option is not None}

    @wraps(command)
    def run(**given: Any) -> None:
        texts = {name: given.pop(name) for name in options}
        pairs = {name: _interval(name, text, options[name].between) for name, text in texts.items() if text is not None}
        command(**given, attributes=pairs)

    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "attributes":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        for name, option in options.items():
            about = ATTRIBUTES[name].about
            asked = typer.Option(
                f"--{name}",
                metavar=f"LOW{option.between}HIGH",
                help=f"{about[0].upper()}{about[1:]}; {option.order}",
            )
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, asked]))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def pieces_again(store: Store, session: int, palette: str | None) -> list[str]:
    """Return the ids of a session's pieces, or of their copies in a palette where one is given."""
    from sessions.storage.library import get_session

    before = [piece.id for piece in get_session(store, session).pieces()]
    if palette is None:
        return before
    from sessions.palette_copies import pieces_in_palette

    return pieces_in_palette(store, before, palette)


def preference_for(
    store: Store, listener: str | None, explore: float | None, seed: int, *, quiet: bool
) -> Preference | None:
    """Return a listener's preference; None where no listener is named."""
    if listener is None:
        if explore is not None:
            raise typer.BadParameter("--explore belongs to --listener")
        return None
    from therapy_gen.study.posterior import preference_of

    warn_of_similar(store, listener, quiet=quiet)
    return preference_of(store, listener, explore, seed)


def audio_target(audio: str | None, folder: Path) -> tuple[str, Path]:
    """Return the audio format, and its folder, made where it is not there."""
    from sessions.export.export import check_audio_format
    from sessions.export.formats import audio_formats
    from sessions.export_paths import make_folder

    format = folder.suffix.lower().removeprefix(".")
    if format in audio_formats() and not folder.is_dir():
        raise typer.BadParameter(
            f"--out takes a folder, and {folder} is named as a file; for one file, make the session and then: "
            f"therapy-gen export --format {format} -o {folder}"
        )
    return check_audio_format(audio or "flac"), make_folder(folder)


def render(store: Store, made: SessionRecord, folder: Path, audio: str, sound: Sound, *, quiet: bool) -> Path:
    """Render a session's pieces into a folder, with a playlist; return that."""
    from sessions.export.export import export_playlist

    say(f"session {made.id} is stored; rendering it to {folder}", quiet=quiet)
    with progress("rendering", made.duration_s, quiet=quiet) as advance:
        playlist = _free(folder, f"session-{made.id}")
        export_playlist(store, made.programme(), playlist, audio, replace(sound, advance=advance), beside=True)
    return playlist


def _free(folder: Path, name: str) -> Path:
    """Return a name for a playlist that no file has yet: sessions of other databases are numbered alike."""
    found = folder / f"{name}.m3u8"
    number = 1
    while found.exists():
        number += 1
        found = folder / f"{name}-{number}.m3u8"
    return found


def tempo_range(text: str) -> tuple[float, float]:
    """Read a tempo, or the slowest and the fastest one."""
    from therapy_gen.errors import InputError

    low, colon, high = text.partition(":")
    try:
        return float(low), float(high if colon else low)
    except ValueError as error:
        raise InputError(f"tempo {text!r} is no tempo; give beats a minute, such as 60 or 54:72") from error


def _interval(name: str, text: str, between: str) -> tuple[float, float]:
    """Read two numbers, or one for both."""
    from therapy_gen.errors import InputError

    low, found, high = text.partition(between)
    try:
        return float(low), float(high if found else low)
    except ValueError as error:
        raise InputError(f"{name} {text!r} is no range; give two numbers, such as 6{between}10") from error
