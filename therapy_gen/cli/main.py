"""The entry point: runs a command and turns what goes wrong into one line and an exit code.

Imports nothing heavy, so that an interrupt is handled from the beginning.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Sequence

DONE = 0
AT_FAULT = 1
USAGE = 2
PART_MISSING = 3
INTERRUPTED = 130

# New containers between two collections; Python's own is 700 or 2,000, and to list sessions makes 112,000.
_GARBAGE_THRESHOLD = 200_000
# Messages of libraries about options -> messages of this program.
_WORDS = (
    (r"('[^']*') is not a valid float( range)?", r"\1 is not a number"),
    (r"('[^']*') is not a valid int(eger)?( range)?", r"\1 is not a whole number"),
    (r"Input should be a valid number, unable to parse[^;]*", "this is not a number"),
    (r"Input should be a valid integer, unable to parse[^;]*", "this is not a whole number"),
)
# A lost interrupt is raised again after so long, when the callback that swallowed it has ended.
_AGAIN_S = 0.005


def main() -> int:
    """Run `sys.argv` as the program does, and return the exit code."""
    sys.unraisablehook = _unraisable
    # Imported modules stay: collecting garbage among them took a tenth of the time of `session list`.
    gc.set_threshold(_GARBAGE_THRESHOLD)
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = _interrupted()
    # Everything is done: an interrupt now would only print a traceback.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # At its end Python would collect garbage once more, for 0.1 s.
    gc.freeze()
    return status


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code; errors are told on standard error."""
    # Read before the options, since an error in them may need its traceback, too.
    debug = "--debug" in arguments
    try:
        _text_streams()
        from therapy_gen.cli.app import invoke

        invoke(arguments)
        sys.stdout.flush()
        return DONE
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        status, message = _explain(error, arguments)
        if debug and status in (AT_FAULT, PART_MISSING):
            import traceback

            traceback.print_exc()
        if message:
            with contextlib.suppress(OSError):
                print(f"error: {_one_line(message)}", file=sys.stderr)
        return status


def _one_line(message: str) -> str:
    """Return a message on one line; names of files and options may contain escape sequences."""
    from therapy_gen.text import printable

    return printable(" ".join(message.split()))


def _explain(error: Exception, arguments: Sequence[str]) -> tuple[int, str]:
    """Return exit code and line for an error of a command line."""
    import typer

    from therapy_gen.cli.output import with_options
    from therapy_gen.errors import MissingExtraError, TherapyGenError

    usage_error = typer.BadParameter.__mro__[1]
    match error:
        case MissingExtraError():
            return PART_MISSING, with_options(str(error))
        case TherapyGenError():
            return AT_FAULT, with_options(str(error))
        case typer.Exit():
            return int(error.exit_code), ""
        case typer.Abort():
            return INTERRUPTED, "interrupted"
        case _ if isinstance(error, usage_error):
            from therapy_gen.cli.app import command_path

            # The error for an option without its value does not name its command.
            context = getattr(error, "ctx", None)
            where = context.command_path if context is not None else command_path(arguments)
            said = _in_our_words(str(error.format_message()).rstrip("."))  # type: ignore[attr-defined]
            return USAGE, f"{said}; see: {where} --help"
        case ModuleNotFoundError() if (error.name or "").partition(".")[0] in ("eeg", "sessions"):
            return AT_FAULT, _foreign(error)
        case OSError():
            said = error.strerror or str(error)
            return AT_FAULT, f"{error.filename}: {said}" if error.filename is not None else said
        case MemoryError():
            return AT_FAULT, "there is not enough memory; close other programs, or ask for fewer minutes at once"
    return AT_FAULT, f"{type(error).__name__}: {error}; this is a mistake in therapy-gen, --debug shows where"


def _foreign(error: ModuleNotFoundError) -> str:
    """Say that another project's package has the name of one of ours."""
    name = (error.name or "").partition(".")[0]
    place = getattr(sys.modules.get(name), "__file__", None)
    return (
        f"the package {name!r} that Python finds ({place or 'unknown place'}) is another project's; install "
        "therapy-gen into an environment of its own, or take that package away"
    )


def _in_our_words(text: str) -> str:
    """Return a library's message about an option in this program's words."""
    for theirs, ours in _WORDS:
        text = re.sub(theirs, ours, text)
    return text


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Repeat an interrupt a moment later that came where nothing can be raised (a finaliser, a callback)."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    with contextlib.suppress(RuntimeError):
        _thread.start_new_thread(_interrupt_soon, (_thread.get_ident(),))


def _interrupt_soon(thread: int) -> None:
    time.sleep(_AGAIN_S)
    if hasattr(signal, "pthread_kill"):
        # A real signal, which also ends a wait.
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _text_streams() -> None:
    """Let a terminal that cannot show a character show another in its place."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _interrupted() -> int:
    with contextlib.suppress(OSError):
        print("error: interrupted", file=sys.stderr)
    return INTERRUPTED


def _closed_pipe() -> int:
    """Discard the rest of the output, whose reader has gone; that is not an error."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


if __name__ == "__main__":
    sys.exit(main())
