"""A Dask cluster: a running one, by address, or worker processes on this machine."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from therapy_gen.errors import InputError, MissingExtraError, TherapyGenError

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_MOST_WORKERS = 256
_ANSWER_S = 10
# Workers that find no scheduler end by themselves.
_WORKER = ("-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")


@contextmanager
def connected(cluster: str) -> Iterator[Any]:
    """Give a Dask client of a cluster.

    Parameters
    ----------
    cluster : str
        Address of a scheduler, as ``"tcp://host:8786"``, or ``"local:N"`` for N worker processes here.

    Raises
    ------
    InputError
        The text is neither, or nobody answers.
    MissingExtraError
        Dask is not installed.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise MissingExtraError("a cluster", "cluster") from error
    for name in ("distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    kind, _, number = cluster.partition(":")
    with ExitStack() as stack:
        address = cluster
        if kind == "local":
            if not number.isdigit() or not 1 <= int(number) <= _MOST_WORKERS:
                raise InputError(
                    f"cluster {cluster!r} names no number of workers from 1 to {_MOST_WORKERS}; write it as local:4"
                )
            scheduler = stack.enter_context(LocalCluster(n_workers=0, protocol="tcp://", dashboard_address=None))
            address = scheduler.scheduler_address
        try:
            client = stack.enter_context(Client(address, timeout=f"{_ANSWER_S}s"))
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                f"no Dask scheduler answers at {cluster!r}; start one with `dask scheduler`, and give tcp://HOST:PORT"
            ) from error
        if kind == "local":
            for _ in range(int(number)):
                stack.callback(_end, _started(address))
        yield client


def as_they_end(client: Any, function: Callable[..., Result], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Run jobs on a cluster; give the number and the finished future of each, in the order in which they end.

    A job whose worker ends is repeated by another one. Where the caller stops, the remaining jobs are cancelled.

    Parameters
    ----------
    client : distributed.Client
    function : callable
        Of a module, so that workers find it by name.
    jobs : sequence
        Each the argument of a call, or a tuple of several.
    """
    from distributed import as_completed

    calls = [job if isinstance(job, tuple) else (job,) for job in jobs]
    futures = [client.submit(function, *call, pure=False) for call in calls]
    numbers = {future.key: number for number, future in enumerate(futures)}
    try:
        for future in as_completed(futures):
            number = numbers[future.key]
            yield number, future
            # Free the workers' memory.
            future.release()
    except BaseException:
        client.cancel(futures, force=True)
        raise


@contextmanager
def mapped(cluster: str) -> Iterator[Callable[[Callable[[Argument], Result], Sequence[Argument]], Iterator[Result]]]:
    """Give a `map` whose calls run on a cluster, with results in the order of the jobs.

    Parameters
    ----------
    cluster : str
        As `connected` takes it.

    Raises
    ------
    InputError
        Where the cluster does not answer, or a job crashed every worker that ran it.
    """
    with connected(cluster) as client:

        def over(function: Callable[[Argument], Result], jobs: Sequence[Argument]) -> Iterator[Result]:
            waiting: dict[int, Result] = {}
            following = 0
            for number, future in as_they_end(client, function, [(job,) for job in jobs]):
                waiting[number] = result_of(future)
                while following in waiting:
                    yield waiting.pop(following)
                    following += 1

        yield over


def result_of(future: Any) -> Any:
    """Return a finished job's result, or raise its error; errors that are not for users become InputError."""
    if future.status == "finished":
        return future.result()
    error = future.exception() if future.status == "error" else None
    if isinstance(error, TherapyGenError):
        raise error
    raise InputError(f"a job on the cluster failed ({why_failed(future)}); give the command again")


def why_failed(future: Any) -> str:
    """Return in a few words why a job has no result."""
    error = future.exception() if future.status == "error" else None
    return f"{type(error).__name__} on the worker" if error is not None else "cancelled"


def _started(address: str) -> subprocess.Popen[bytes]:
    """Start a worker as a process of its own, which imports nothing of the program that asked for it."""
    return subprocess.Popen([sys.executable, *_WORKER, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(timeout=_ANSWER_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
