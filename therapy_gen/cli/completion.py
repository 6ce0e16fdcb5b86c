"""Completion in bash, zsh and fish: the protocol is Typer's, the values are ours.

What a parameter takes is told by its metavar, so that a new option is completed like its kind. Completing never fails
and never says anything but words. Names and titles come from files and from people: some shells evaluate what they are
told, so nothing is passed on but letters, digits and signs that mean nothing to any shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from therapy_gen.cli.context import Settings

VARIABLE = "_THERAPY_GEN_COMPLETE"

# What no shell gives a meaning to, inside a word; a dash or a colon at its beginning is left out apart.
_HARMLESS = r"\w .,+@/:\-"
# Typer's script for zsh evaluates words twice. The other shells take a word as it is, once it is quoted.
_WORD = {"zsh": re.compile(rf"[{_HARMLESS}]*"), "": re.compile(rf"[{_HARMLESS}'()]*")}
_NOT_HARMLESS = re.compile(rf"[^{_HARMLESS}]+")
# What bash would take for something else than a letter.
_QUOTED_IN_BASH = re.compile(r"[^\w@%+=:,./-]")

# Value and what it is.
Words = list[tuple[str, str]]
Values = Callable[[Settings, str], Words]


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
    shell = instruction.rpartition("_")[2]
    for each in _walk(command):
        each.short_help = _cleaned(each.get_short_help_str(200))
        for parameter in each.params:
            parameter.help = _cleaned(getattr(parameter, "help", None) or "")
            values = _values_of(parameter)
            if values is not None:
                parameter.shell_complete = _completer(values, shell)
    try:
        command.main([], prog_name=program, complete_var=VARIABLE, standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _walk(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _walk(inner)


def _cleaned(text: str) -> str:
    """Return a description without what a shell could take for more than text."""
    return " ".join(_NOT_HARMLESS.sub(" ", text).split())


def _completer(values: Values, shell: str) -> Callable[[Any, str], list[Any]]:
    allowed = _WORD.get(shell, _WORD[""])

    def found(context: Any, incomplete: str) -> list[Any]:
        item = _item_class()
        given = context.find_root().params
        home = given.get("home")
        settings = Settings(db=given.get("db"), home=None if home is None else Path(home))
        try:
            words = [
                (value, _cleaned(about))
                for value, about in values(settings, incomplete)
                if value.startswith(incomplete) and allowed.fullmatch(value)
            ]
        except Exception:
            return []
        # Bash puts a word on the line as it comes; the other shells quote it themselves.
        return [
            item(_QUOTED_IN_BASH.sub(r"\\\g<0>", value) if shell == "bash" else value, help=about or None)
            for value, about in words
        ]

    return found


def _item_class() -> Any:
    """Return what Click wants: some versions of Typer bring a Click of their own."""
    try:
        module: Any = import_module("typer._click.shell_completion")
    except ImportError:
        module = import_module("click.shell_completion")
    return module.CompletionItem


def _values_of(parameter: Any) -> Values | None:
    metavar = parameter.metavar or ""
    by_name = _BY_OPTION.get(max(parameter.opts, key=len)) if parameter.opts else None
    if by_name is not None:
        return by_name
    if metavar in _BY_METAVAR:
        return _BY_METAVAR[metavar]
    if re.fullmatch(r"\w+(\|\w+…?)+", metavar):
        words = [(word, "") for word in metavar.rstrip("…").split("|")]
        return lambda settings, begin: words
    return None


def _sessions(settings: Settings, begin: str) -> Words:
    from sessions.storage.completion_lookup import sessions

    return sessions(_place(settings))


def _pieces(settings: Settings, begin: str) -> Words:
    from sessions.storage.completion_lookup import pieces

    # As they are typed: in lower case, too.
    return [(begin + id_[len(begin) :], title) for id_, title in pieces(_place(settings), begin)]


def _listeners(settings: Settings, begin: str) -> Words:
    from sessions.storage.completion_lookup import listeners

    return [(name, "") for name in listeners(_place(settings)) if name.isprintable()]


def _models(settings: Settings, begin: str) -> Words:
    # As `therapy_gen.musicvae.weights` finds them, without what that imports.
    own, embedded = _home(settings) / "models", Path(__file__).resolve().parent.parent / "assets"
    names = {path.stem: about for folder, about in ((embedded, "embedded"), (own, "own")) for path in _weights(folder)}
    return sorted(names.items())


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _formats(settings: Settings, begin: str) -> Words:
    from sessions.export.formats import export_formats

    return [(format.name, format.group) for format in export_formats().values()]


def _palettes(settings: Settings, begin: str) -> Words:
    from therapy_gen.music.arranging.palettes import PALETTES

    return [(name, "") for name in PALETTES]


def _home(settings: Settings) -> Path:
    if settings.home is not None:
        return settings.home
    from platformdirs import user_data_path

    return user_data_path("therapy-gen", appauthor=False)


def _place(settings: Settings) -> str | Path:
    # Not `Settings.store_place`, which makes the folder.
    return settings.db if settings.db is not None else _home(settings) / "therapy.db"


_BY_METAVAR: dict[str, Values] = {
    "ID": _sessions,
    "PIECE": _pieces,
    "M": _models,
    "NAME_OR_FILE": _models,
    "FORMAT": _formats,
}
_BY_OPTION: dict[str, Values] = {"--listener": _listeners, "--palette": _palettes}
