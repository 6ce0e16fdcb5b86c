"""What the global options say: where things are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from therapy_gen.errors import InputError

if TYPE_CHECKING:
    from sessions.storage.store import Store
    from therapy_gen.musicvae.magenta.engine import MagentaEngine
    from therapy_gen.musicvae.magenta.runtime import MagentaModel
    from therapy_gen.musicvae.model import Model
    from therapy_gen.musicvae.section_model import SectionModel

DEFAULT_MODEL = "calm"

# Seeds that are drawn are short enough to be read aloud.
_DRAWN_SEEDS = 10**6


@dataclass(frozen=True)
class Settings:
    """The global options."""

    db: str | None = None
    home: Path | None = None
    quiet: bool = False
    debug: bool = False

    def home_folder(self) -> Path:
        """Return the folder for database, models and renders, made where it does not exist."""
        home = self.home
        if home is None:
            from platformdirs import user_data_path

            home = user_data_path("therapy-gen", appauthor=False)
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"folder {home} cannot be used: {error.strerror}; choose another with --home or THERAPY_GEN_HOME"
            ) from error
        return home

    def models_folder(self) -> Path:
        """Return the folder of the user's own models, which need not exist."""
        return self.home_folder() / "models"

    def store_place(self) -> str | Path:
        """Return path or URL of the database."""
        return self.db if self.db is not None else self.home_folder() / "therapy.db"

    def store(self) -> Store:
        """Return the database, made or migrated where need be."""
        from sessions.storage.store import Store

        return Store.open(self.store_place())

    def engine(self, name: str, engine: str, seed: int = 0) -> Model | MagentaModel | MagentaEngine:
        """Return a model of any kind by name or path, in the engine that is to run it."""
        use_one_thread()
        from therapy_gen.musicvae.load import open_engine

        return open_engine(name, self.models_folder(), engine, seed)

    def section_model(self, name: str, engine: str, seed: int = 0) -> SectionModel:
        """Return a model of any kind as a writer of a session's sections."""
        from therapy_gen.musicvae.load import open_sections

        return open_sections(self.engine(name, engine, seed))


def settings(context: typer.Context) -> Settings:
    """Return the global options of this run."""
    found = context.find_object(Settings)
    if found is None:
        raise RuntimeError("the global options have not been read")
    return found


def use_one_thread() -> None:
    """Keep matrix products on one thread; call it before NumPy is imported.

    Those of the model are too small to share: on two busy cores, two threads took 1 to 14 s for 24 sections that one
    thread decodes in 0.2 s.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")


def drawn_seed() -> int:
    """Return a seed for a run that was given none."""
    import secrets

    return secrets.randbelow(_DRAWN_SEEDS)
