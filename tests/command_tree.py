"""The commands of the program, built once: to build all of them takes a tenth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def program() -> Any:
    """The program as one command, which holds all others."""
    from typer.main import get_command

    from therapy_gen.cli.app import app

    return get_command(app)


def command_of(words: tuple[str, ...]) -> Any:
    """A command or group by its words."""
    found = program()
    for word in words:
        found = found.commands[word]
    return found


def all_commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group by its words, the program itself first."""

    def walk(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk((*words, name), inner)

    return walk((), program())
