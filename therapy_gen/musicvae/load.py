"""Loading any model: therapy-gen's own, those imported from Magenta, and Magenta's own engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from therapy_gen.errors import InputError
from therapy_gen.music.tokens import BARS_PER_SECTION
from therapy_gen.musicvae.magenta.imported_weights import read_header
from therapy_gen.musicvae.model import Model
from therapy_gen.musicvae.weights import DEFAULT_MODEL, find_model, load_weights

if TYPE_CHECKING:
    from therapy_gen.musicvae.magenta.runtime import MagentaModel
    from therapy_gen.musicvae.section_model import LatentModel, SectionModel


ENGINES = ("numpy", "magenta")


def open_model(name: str = DEFAULT_MODEL, folder: Path | None = None) -> Model | MagentaModel:
    """Load a model by name or path (see `find_model`), whatever its kind.

    Raises
    ------
    InputError
        Where there is none, or its file is damaged.
    """
    path = find_model(name, folder)
    if read_header(path).is_magenta:
        from therapy_gen.musicvae.magenta.runtime import load_magenta_model

        return load_magenta_model(path)
    return Model(load_weights(path), path.stem)


def open_engine(name: str, folder: Path | None = None, engine: str = ENGINES[0], seed: int = 0) -> LatentModel:
    """Load a model in the engine that runs it.

    Parameters
    ----------
    name : str
    folder : Path, optional
    engine : {"numpy", "magenta"}
    seed : int
        Of what Magenta draws.

    Raises
    ------
    InputError
        Where the engine is not known, or cannot run the model.
    MissingExtraError
        Where Magenta is asked for and not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r} is not known; give one of: {', '.join(ENGINES)}")
    model = open_model(name, folder)
    if engine == ENGINES[0]:
        return model
    if isinstance(model, Model):
        raise InputError(
            f"model {name} is a network of therapy-gen's own, which Magenta cannot run; "
            "import one of Magenta's with: therapy-gen model import"
        )
    from therapy_gen.musicvae.magenta.engine import MagentaEngine

    return MagentaEngine(model, seed % 2**31)


def writes_sections(model: LatentModel) -> bool:
    """Return whether a model writes sections that can be arranged: sixteen bars in a common key."""
    return model.common_tonic and model.bars == BARS_PER_SECTION


def open_sections(model: LatentModel) -> SectionModel:
    """Return a model as a writer of sections of sixteen bars and three voices."""
    if writes_sections(model):
        return model
    from therapy_gen.musicvae.magenta.sections import Sections

    return Sections(model)
