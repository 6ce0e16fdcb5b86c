"""A new column of pieces is declared in the table (and made by a migration), and known everywhere else."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json
from dataclasses import dataclass
from sqlalchemy import String
from sqlalchemy.orm import mapped_column
from sessions.storage.tables import PieceRow
PieceRow.mood = mapped_column("mood", String, nullable=True)
from sessions.builder import new_session
from sessions.composing.compose import ComposedPiece
from sessions.planning.plan import SessionRequest
from sessions.storage.pieces import get_piece, list_pieces
from sessions.storage.store import Store
from therapy_gen.musicvae.model import load_model
ComposedPiece.mood = "mellow"
store = Store.empty()
made = new_session(store, load_model(), SessionRequest(minutes=1.0), seed=1)
print(json.dumps([get_piece(store, made.pieces()[0].id).full_document(), list_pieces(store)[0].more]))
"""


def test_toy_column_is_stored_and_told() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown, more = json.loads(done.stdout)
    assert shown["mood"] == more["mood"] == "mellow"
