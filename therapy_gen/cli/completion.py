"""Completion in bash, zsh and fish: Typer's protocol with values of this program.

A parameter names what completes it: `typer.Option(autocompletion=session_ids)`. Completing never fails and never says
anything but words. Names and titles come from files and from people: some shells evaluate what they are told, so only
letters, digits and signs that mean nothing to any shell are passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from therapy_gen.cli.context import GlobalOptions

VARIABLE = "_THERAPY_GEN_COMPLETE"

# Characters without a meaning to any shell inside a word; a leading dash or colon is removed separately.
_HARMLESS = r"\w .,+@/:\-"
# Typer's script for zsh evaluates words twice. The other shells take a word as it is, once it is quoted.
_WORD = {"zsh": re.compile(rf"[{_HARMLESS}]*"), "": re.compile(rf"[{_HARMLESS}'()]*")}
_NOT_HARMLESS = re.compile(rf"[^{_HARMLESS}]+")
# Characters that bash would not take literally.
_QUOTED_IN_BASH = re.compile(r"[^\w@%+=:,./-]")

# Value and what it is.
Words = list[tuple[str, str]]
Values = Callable[[GlobalOptions, str], Words]
# As Typer takes it: of the context and what was typed, which it tells apart by their names.
Completion = Callable[[Any, str], Words]


def complete(command: Any, program: str, instruction: str) -> int:
    """Answer a shell; return the exit code.

    Parameters
    ----------
    command : click command
        The whole program.
    program : str
        Its name.
    instruction : str
        What the shell asks for in `VARIABLE`, e.g. ``complete_bash``.
    """
    for each in _walk(command):
        each.short_help = _cleaned(each.get_short_help_str(200))
        for parameter in each.params:
            parameter.help = _cleaned(getattr(parameter, "help", None) or "")
    if instruction == "complete_bash":
        _quote_in_bash()
    try:
        command.main([], prog_name=program, complete_var=VARIABLE, standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _quote_in_bash() -> None:
    """Quote words for bash, which inserts them unchanged; the other shells quote them themselves."""
    try:
        # Some versions of Typer bring a Click of their own.
        shells: Any = import_module("typer._click.shell_completion")
    except ImportError:
        shells = import_module("click.shell_completion")
    bash = shells.get_completion_class("bash")

    class Quoted(bash):  # type: ignore[misc,valid-type]
        def format_completion(self, item: Any) -> str:
            return _QUOTED_IN_BASH.sub(r"\\\g<0>", item.value)

    shells.add_completion_class(Quoted, "bash")


def _walk(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _walk(inner)


def _cleaned(text: str) -> str:
    """Return a description without characters that a shell could interpret."""
    return " ".join(_NOT_HARMLESS.sub(" ", text).split())


def _completed(values: Values) -> Completion:
    """Return the function that Typer calls for a parameter's values: those that begin as typed, harmless ones only."""

    def found(ctx: Any, incomplete: str) -> Words:
        given = ctx.find_root().params
        home = given.get("home")
        options = GlobalOptions(db=given.get("db"), home=None if home is None else Path(home))
        shell = os.environ.get(VARIABLE, "").rpartition("_")[2]
        allowed = _WORD.get(shell, _WORD[""])
        try:
            return [
                (value, _cleaned(about))
                for value, about in values(options, incomplete)
                if value.startswith(incomplete) and allowed.fullmatch(value)
            ]
        except Exception:
            return []

    return found


def _sessions(options: GlobalOptions, begin: str) -> Words:
    from sessions.storage.completion_lookup import sessions

    return sessions(_place(options))


def _pieces(options: GlobalOptions, begin: str) -> Words:
    from sessions.storage.completion_lookup import pieces

    # As they are typed: in lower case, too.
    return [(begin + id_[len(begin) :], title) for id_, title in pieces(_place(options), begin)]


def _listeners(options: GlobalOptions, begin: str) -> Words:
    from sessions.storage.completion_lookup import listeners

    return [(name, "") for name in listeners(_place(options)) if name.isprintable()]


def _models(options: GlobalOptions, begin: str) -> Words:
    # As `therapy_gen.musicvae.weights` finds them, without what that imports.
    own, embedded = _home(options) / "models", Path(__file__).resolve().parent.parent / "assets"
    names = {path.stem: about for folder, about in ((embedded, "embedded"), (own, "own")) for path in _weights(folder)}
    return sorted(names.items())


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _formats(options: GlobalOptions, begin: str) -> Words:
    from sessions.export.formats import export_formats

    return [(format.name, format.group) for format in export_formats().values()]


def _palettes(options: GlobalOptions, begin: str) -> Words:
    from therapy_gen.music.arranging.palettes import PALETTES

    return [(name, "") for name in PALETTES]


def _layers(options: GlobalOptions, begin: str) -> Words:
    from therapy_gen.music.audio.layers import LAYERS

    return [(name, layer.about) for name, layer in LAYERS.items()] + [("none", "without")]


def _transitions(options: GlobalOptions, begin: str) -> Words:
    from therapy_gen.music.audio.transitions import TRANSITIONS

    return [(name, "") for name in TRANSITIONS]


def _spaces(options: GlobalOptions, begin: str) -> Words:
    from therapy_gen.music.audio.reverb import SPACES

    return [(name, "") for name in SPACES]


def _home(options: GlobalOptions) -> Path:
    if options.home is not None:
        return options.home
    from platformdirs import user_data_path

    return user_data_path("therapy-gen", appauthor=False)


def _place(options: GlobalOptions) -> str | Path:
    # Not `GlobalOptions.store_place`, which makes the folder.
    return options.db if options.db is not None else _home(options) / "therapy.db"


session_ids = _completed(_sessions)
piece_ids = _completed(_pieces)
listener_names = _completed(_listeners)
model_names = _completed(_models)
export_format_names = _completed(_formats)
palette_names = _completed(_palettes)
layer_names = _completed(_layers)
transition_names = _completed(_transitions)
space_names = _completed(_spaces)


def one_of(*words: str) -> Completion:
    """Return the completion of a parameter that takes one of these words."""
    return _completed(lambda options, begin: [(word, "") for word in words])
