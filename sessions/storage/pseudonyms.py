"""Pseudonyms: a keyed hash in place of a listener's name, which is then not stored.

In: a name, and a key that stays in the home folder. Out: a short code, the same for the same name. With the key one can
tell whether a name is in a database; without it not even by trying names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from pathlib import Path

from sessions.errors import DatabaseError
from therapy_gen.files import reason, write_bytes

_KEY_FILE = "pseudonym.key"
_KEY_BYTES = 32
_LETTERS = 16
_PSEUDONYM = re.compile(f"P-[A-Z2-7]{{{_LETTERS}}}")

_key: bytes | None = None


def use_pseudonyms(key: bytes | None) -> None:
    """Store pseudonyms in place of names from now on; None: names again.

    Parameters
    ----------
    key : bytes or None
        Of 32 bytes; see `read_key`.
    """
    global _key
    _key = key


def read_key(folder: Path, *, make: bool) -> bytes | None:
    """Return the key of a home folder; where there is none, make one if `make`, else return None.

    Raises
    ------
    DatabaseError
        Where the key cannot be read or written, or is not valid.
    """
    path = folder / _KEY_FILE
    try:
        if not path.exists():
            if not make:
                return None
            write_bytes(path, secrets.token_hex(_KEY_BYTES).encode() + b"\n", private=True, error=DatabaseError)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise DatabaseError(f"the key of the pseudonyms, {path}, cannot be read: {reason(error)}") from error
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise DatabaseError(f"{path} is no key of pseudonyms; restore it: without it nobody is found again")
    return key


def pseudonym_of(name: str) -> str:
    """Return a name's pseudonym; the name itself where none are used or it is one already."""
    if _key is None or _PSEUDONYM.fullmatch(name):
        return name
    digest = hmac.new(_key, name.casefold().encode(), hashlib.sha256).digest()
    return f"P-{base64.b32encode(digest)[:_LETTERS].decode()}"
