"""Tables of a session: comma-separated values and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from sessions.records import SessionRecord
from therapy_gen.text import spreadsheet_cell

_COLUMNS = ("position", "role", "onset_s", "duration_s", "piece", "title", "key", "tempo", "calm", "rating")


def session_csv(session: SessionRecord) -> str:
    """Return the timeline as comma-separated values with a head."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(safe_row(item.document()) for item in session.items)
    return text.getvalue()


def safe_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose texts no spreadsheet takes for formulas; numbers stay as they are."""
    return {name: spreadsheet_cell(value) if isinstance(value, str) else value for name, value in row.items()}


def session_json(session: SessionRecord) -> str:
    """Return what `session show --json` prints."""
    return json.dumps(session.document(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
