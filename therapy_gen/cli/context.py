"""The global options: where data are kept."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from therapy_gen.errors import InputError
from therapy_gen.files import keep_private, make_private_folder
from therapy_gen.text import printable

if TYPE_CHECKING:
    from sessions.storage.store import Store
    from therapy_gen.musicvae.section_model import LatentModel, SectionModel

DEFAULT_MODEL = "calm"
PROGRAM = "therapy-gen"

# Seeds that are drawn are short enough to be read aloud.
_DRAWN_SEEDS = 10**6


@dataclass(frozen=True)
class GlobalOptions:
    """The global options."""

    db: str | None = None
    home: Path | None = None
    quiet: bool = False
    debug: bool = False
    shared: bool = False
    # Whether the home was given on the command line, where it may be mistyped.
    home_typed: bool = False
    db_typed: bool = False

    def hint(self, *words: str) -> str:
        """Return a command line that works when pasted where this one was typed."""
        typed = ["--home", str(self.home)] if self.home_typed else []
        typed += ["--db", str(self.db)] if self.db_typed else []
        return shlex.join([_program(), *typed, *words])

    def home_place(self) -> Path:
        """Return the folder for database, models and renders, which need not exist."""
        if self.home is not None:
            return self.home
        from platformdirs import user_data_path

        return user_data_path("therapy-gen", appauthor=False)

    def home_folder(self) -> Path:
        """Return the folder for database, models and renders, made where it does not exist; it is its owner's alone."""
        home = self.home_place()
        try:
            make_private_folder(home)
            if self.home is None:
                # Made by an earlier version.
                keep_private(home)
        except OSError as error:
            raise InputError(
                f"folder {home} cannot be used: {error.strerror}; choose another with --home or THERAPY_GEN_HOME"
            ) from error
        return home

    def store_pseudonyms(self, *, make: bool) -> None:
        """Have pseudonyms stored in place of names, by the key of the home folder, which `make` makes."""
        from sessions.storage.pseudonyms import read_key, use_pseudonyms

        use_pseudonyms(read_key(self.home_folder() if make else self.home_place(), make=make))

    def models_folder(self) -> Path:
        """Return the folder of the user's own models, which need not exist."""
        return self.home_place() / "models"

    def store_place(self) -> str | Path:
        """Return path or URL of the database, which need not exist."""
        return self.db if self.db is not None else self.home_place() / "therapy.db"

    def store(self, *, make: bool = True) -> Store:
        """Return the database for writing, migrated where necessary; with `make`, a missing one is made."""
        from sessions.storage.store import Store

        if not make:
            Store(self.store_place()).require()
        elif self.db is None:
            self.home_folder()
        return Store.open(self.store_place())

    def store_to_read(self) -> Store:
        """Return the database for reading; where the home folder has none, an empty one in memory."""
        from sessions.storage.store import Store

        place = self.store_place()
        if isinstance(place, Path) and not place.exists():
            above = next(folder for folder in place.absolute().parents if folder.exists())
            if not above.is_dir():
                raise InputError(f"{above} is a file, not a folder; choose another with --home or THERAPY_GEN_HOME")
            if self.home_typed and not self.quiet:
                print(f"there is no database in {printable(str(self.home))} yet", file=sys.stderr)
            return Store.empty()
        return Store.open_to_read(place)

    def engine(self, name: str, engine: str, seed: int = 0) -> LatentModel:
        """Return a model of any kind by name or path, in the engine that is to run it."""
        use_one_thread()
        from therapy_gen.musicvae.load import open_engine
        from therapy_gen.musicvae.weights import shadowed

        own = shadowed(name, self.models_folder())
        if own is not None and not self.quiet:
            print(printable(f"model {name} is {own}, which stands before the embedded one"), file=sys.stderr)
        return open_engine(name, self.models_folder(), engine, seed)

    def section_model(self, name: str, engine: str, seed: int = 0) -> SectionModel:
        """Return a model of any kind as a writer of a session's sections."""
        from therapy_gen.musicvae.load import open_sections

        return open_sections(self.engine(name, engine, seed))


def _program() -> str:
    """Return how to call this program, where its name alone is not on the path."""
    called = Path(sys.argv[0])
    if called.stem != PROGRAM or not called.is_file():
        return PROGRAM
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and Path(found).samefile(called) else str(called)


def global_options(context: typer.Context) -> GlobalOptions:
    """Return the global options of this run."""
    found = context.find_object(GlobalOptions)
    if found is None:
        raise RuntimeError("the global options have not been read")
    return found


def use_one_thread() -> None:
    """Keep matrix products on one thread; call it before NumPy is imported.

    The model's are too small to share: on two busy cores, two threads took 1 to 14 s for 24 sections that one thread
    decodes in 0.2 s.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")


def drawn_seed() -> int:
    """Draw a seed for a run without one."""
    import secrets

    return secrets.randbelow(_DRAWN_SEEDS)
