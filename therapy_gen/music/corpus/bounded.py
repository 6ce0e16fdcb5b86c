"""Running a library's work in a process of its own with limited time and memory."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from therapy_gen.errors import OutOfBoundsError

# Address space of the process; the libraries themselves take some 600 MB of it.
MEMORY_BYTES = 2 << 30
# Wall-clock limit, as a multiple of the allowed processor time, for busy machines.
_WALL_FACTOR = 8.0
_START_S = 180.0
_HEAD = struct.Struct(">Q")
_CHILD = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({function!r})"


class BoundedCall:
    """A function that runs in another process, started with the first call and again after one that was stopped.

    Parameters
    ----------
    function : str
        ``"module:name"``; arguments and result are pickled.

    Examples
    --------
    >>> BoundedCall("math:factorial")(5, seconds=10.0)
    120
    """

    def __init__(self, function: str) -> None:
        self.function = function
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def __call__(self, *arguments: Any, seconds: float) -> Any:
        """Return or raise what the function does; OutOfBoundsError after `seconds` of processor time."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(_WALL_FACTOR * seconds, process.kill)
        timer.start()
        try:
            _send(process.stdin, (seconds, arguments))
            ok, result = _receive(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.close()
            raise OutOfBoundsError from error
        finally:
            timer.cancel()
        if not ok:
            raise result
        return result

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()

    def _started(self) -> subprocess.Popen[bytes]:
        # A process forked from this one must not use its child.
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        code = _CHILD.format(path=sys.path, module=__name__, function=self.function)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._process, self._owner = process, os.getpid()
        timer = threading.Timer(_START_S, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            _receive(process.stdout)
        except (EOFError, OSError) as error:
            self.close()
            raise OutOfBoundsError from error
        finally:
            timer.cancel()
        return process


def serve(function: str) -> None:
    """Run calls that come on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    module, _, name = function.partition(":")
    called: Callable[..., Any] = getattr(importlib.import_module(module), name)
    _limit_memory()
    _send(answers, "ready")
    while True:
        try:
            seconds, arguments = _receive(sys.stdin.buffer)
        except EOFError:
            return
        _limit_time(seconds)
        answer: tuple[bool, Any]
        try:
            answer = True, called(*arguments)
        except MemoryError:
            return
        except Exception as error:
            answer = False, error
        _send(answers, answer)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_time(seconds: float) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _send(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message)
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise EOFError
    (size,) = _HEAD.unpack(head)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)
