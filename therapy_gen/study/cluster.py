"""A Dask cluster: one that runs elsewhere, by address, or worker processes on this machine."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from therapy_gen.errors import InputError, MissingExtraError

_MOST_WORKERS = 256
_ANSWER_S = 10
# Workers that find no scheduler go away by themselves.
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
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    kind, _, number = cluster.partition(":")
    with ExitStack() as stack:
        address = cluster
        if kind == "local":
            if not number.isdigit() or not 1 <= int(number) <= _MOST_WORKERS:
                raise InputError(f"cluster {cluster!r} is no number of workers; write it as local:4")
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
