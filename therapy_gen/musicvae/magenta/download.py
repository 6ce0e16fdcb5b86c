"""Downloads that resume where they stopped and are checked before they are used."""

from __future__ import annotations

import base64
import binascii
import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from therapy_gen.errors import InputError
from therapy_gen.files import write_bytes

_DIGESTS = "sha256.json"
MAX_BYTES = 8_000_000_000
_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL = 206


def download(
    address: str,
    target: Path,
    *,
    sha256: str | None = None,
    keep: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetch a file to `target`, resuming an earlier attempt in ``target.part``.

    Parameters
    ----------
    address : str
        ``http:`` or ``https:``.
    target : Path
        Kept where it exists and has the hash.
    sha256 : str, optional
        Required hash of the file. Without it, the server must name a hash (``x-goog-hash`` or ``Content-MD5``).
    keep : bool
        Whether a file with another hash is kept as ``target.part``, to be accepted with that hash later.
    progress : callable, optional
        Called with bytes so far and bytes in all (None where the server does not say).

    Raises
    ------
    InputError
        Where the address cannot be read, the file is too large, or its hash is another; a file with another hash is
        removed.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{address} is no web address; give one that begins with https://")
    if sha256 is not None and (len(sha256) != 64 or not set(sha256.lower()) <= set("0123456789abcdef")):
        raise InputError(f"sha256 {sha256!r} is no SHA-256; give 64 hexadecimal digits")
    wanted = None if sha256 is None else ("sha256", sha256.lower())
    if wanted and target.is_file() and _hash(target, "sha256") == wanted[1]:
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        named = _fetch(address, part, progress)
        if wanted is None:
            wanted = named
        if wanted is None:
            raise InputError(
                f"{address} comes without a hash to check it by; give `sha256` (the file is kept as {part}, "
                f"its SHA-256 is {_hash(part, 'sha256')})"
            )
        if (found := _hash(part, wanted[0])) != wanted[1]:
            if not keep:
                part.unlink()
            left = f"it is kept as {part}" if keep else "it was removed"
            raise InputError(f"{address} hashes to {found}, not to {wanted[1]} ({wanted[0]}); {left}")
        part.replace(target)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        why = getattr(error, "reason", None) or error
        raise InputError(f"{address} cannot be downloaded: {why}; the same command goes on where it stopped") from error
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def download_known(
    address: str,
    folder: Path,
    *,
    sha256: str | None = None,
    pinned: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Path, str, bool]:
    """Download a file into a folder that records the SHA-256 of each address's file.

    Parameters
    ----------
    address : str
    folder : Path
        Its `sha256.json` has the digest of each address: recorded at the first download, required afterwards.
    sha256 : str, optional
        Required hash of the file, in place of the recorded one.
    pinned : str, optional
        Hash of a public copy of the file, required where none is given or recorded.
    progress : callable, optional
        As of `download`.

    Returns
    -------
    Path, str, bool
        The file, its SHA-256, and whether that was recorded now.

    Raises
    ------
    InputError
        As of `download`, and where the address gives another file than the first time.
    """
    target = folder / (address.rstrip("/").rpartition("/")[2] or "checkpoint")
    known = _digests(folder)
    recorded = known.get(address)
    try:
        wanted = sha256 or recorded or pinned
        only_pinned = wanted is not None and sha256 is None and recorded is None
        path = download(address, target, sha256=wanted, keep=only_pinned, progress=progress)
    except InputError as error:
        if only_pinned and "hashes to" in str(error):
            raise InputError(
                f"{error}: a public copy of it has that SHA-256; give the other one if you trust the server (sha256)"
            ) from error
        if recorded is None or sha256 is not None or "hashes to" not in str(error):
            raise
        raise InputError(
            f"{error}: it is not the file that came from there the first time; "
            "give the SHA-256 of the one that you trust (sha256)"
        ) from error
    found = _hash(path, "sha256")
    if recorded != found:
        write_bytes(folder / _DIGESTS, json.dumps({**known, address: found}, indent=1, sort_keys=True).encode())
    return path, found, recorded != found


def _digests(folder: Path) -> dict[str, str]:
    path = folder / _DIGESTS
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read; remove it, and digests are recorded anew") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InputError(f"{path} holds no digests; remove it, and they are recorded anew")
    return found


def _fetch(address: str, part: Path, progress: Callable[[int, int | None], None] | None) -> tuple[str, str] | None:
    """Bring `part` to its full length and return the hash that the server names, if it names one."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "therapy-gen", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer: Any = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE and have:
            # Nothing is left to fetch, or the file has changed: its hash decides.
            with closing(error):
                return _named_hash(error.headers)
        raise
    with answer:
        if have and answer.status != _PARTIAL:
            have = 0
        left = answer.headers.get("Content-Length")
        total = have + int(left) if left and left.isdigit() else None
        if total is not None and total > MAX_BYTES:
            raise InputError(f"{address} has {total / 1e9:.1f} GB, more than any checkpoint")
        with part.open("ab" if have else "wb") as stream:
            while chunk := answer.read(_CHUNK_BYTES):
                have += stream.write(chunk)
                if have > MAX_BYTES:
                    raise InputError(f"{address} is longer than any checkpoint")
                if progress:
                    progress(have, total)
        if total is not None and have < total:
            raise ConnectionError("the connection was cut")
        return _named_hash(answer.headers)


def _named_hash(headers: Any) -> tuple[str, str] | None:
    named = [word.strip() for value in headers.get_all("x-goog-hash", []) for word in value.split(",")]
    named += [f"md5={value.strip()}" for value in headers.get_all("Content-MD5", [])]
    for word in named:
        kind, _, value = word.partition("=")
        if kind == "md5":
            try:
                return "md5", base64.b64decode(value, validate=True).hex()
            except binascii.Error:
                continue
    return None


def _hash(path: Path, kind: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
