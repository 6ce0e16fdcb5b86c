"""Limiting what Lab Streaming Layer's library prints on the terminal to errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def keep_quiet(pylsl: Any) -> None:
    """Let LSL print errors only, unless the user has settings for it, which would be lost.

    Parameters
    ----------
    pylsl : module
        Before it is used.

    Examples
    --------
    >>> keep_quiet(__import__("pylsl"))  # doctest: +SKIP
    """
    places = [Path("lsl_api.cfg"), Path("~/lsl_api/lsl_api.cfg").expanduser(), Path("/etc/lsl_api/lsl_api.cfg")]
    set_content = getattr(pylsl, "set_config_content", None)
    if set_content is not None and "LSLAPICFG" not in os.environ and not any(place.is_file() for place in places):
        set_content("[log]\nlevel = -2\n")
