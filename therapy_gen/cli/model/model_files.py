"""`therapy-gen model import`, `known`, `export`, `check`: models from and for Magenta, and comparing them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from therapy_gen.cli.completion import model_names, one_of
from therapy_gen.cli.context import global_options
from therapy_gen.cli.output import AsJson, print_json, print_table, printable, progress, say

IMPORT_EPILOG = "Example: therapy-gen model import mel.tar --config hierdec-mel_16bar"
EXPORT_EPILOG = "Example: therapy-gen model export mel --format magenta -o out/model.ckpt"
CHECK_EPILOG = "Example: therapy-gen model check calm"
KNOWN_EPILOG = "Example: therapy-gen model known"


def import_(
    context: typer.Context,
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A .tar, a prefix (model.ckpt) or folder of TensorFlow, a folder of TensorFlow.js, or a web address",
        ),
    ],
    config: Annotated[str, typer.Option(metavar="NAME", help="Magenta's configuration, e.g. hierdec-mel_16bar")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model; it lands in the folder `models` of --home  [default: config]")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="CHECKPOINT is a name that `model known` shows: fetch it first")
    ] = False,
    sha256: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="What a downloaded file, or the data of a prefix, must hash to  [default: as the first time]",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Import a checkpoint of Magenta's MusicVAE, to sample, interpolate and make sessions with."""
    from therapy_gen.musicvae.magenta.configs import find_config
    from therapy_gen.musicvae.magenta.imports import import_checkpoint
    from therapy_gen.musicvae.magenta.public_checkpoints import find_public

    find_config(config)
    chosen = global_options(context)
    address = find_public(checkpoint).address if download else checkpoint
    if address.startswith(("http://", "https://")):
        source = _downloaded(address, chosen.home_folder() / "downloads", sha256, quiet=chosen.quiet)
    else:
        source = Path(checkpoint)
    path = output or chosen.home_folder() / "models" / f"{name or config}.safetensors"
    facts = import_checkpoint(source, config, path)
    if not facts["can_encode"]:
        say(
            f"{source} holds no complete encoder: the model samples and decodes, but cannot encode (no interpolation)",
            quiet=chosen.quiet,
        )
    if json:
        print_json({"model": {"name": path.stem, "file": str(path), "config": config, "facts": dict(facts)}})
        return
    print(f"{printable(str(path))}: {facts['parameters']:,} parameters of {config}")


def _downloaded(address: str, folder: Path, sha256: str | None, *, quiet: bool) -> Path:
    """Fetch a file, or the files of a checkpoint's prefix; `sha256` is that of the file, or of the prefix's data."""
    from therapy_gen.musicvae.magenta.public_checkpoints import PARTS, PREFIX

    if not address.endswith(PREFIX):
        return _fetched(address, folder, sha256, quiet=quiet)
    for part, wanted in zip(PARTS, (sha256, None), strict=True):
        file = _fetched(f"{address}{part}", folder, wanted, quiet=quiet)
    return file.with_suffix("")


def _fetched(address: str, folder: Path, sha256: str | None, *, quiet: bool) -> Path:
    from therapy_gen.musicvae.magenta.download import download_known
    from therapy_gen.musicvae.magenta.public_checkpoints import check_weights, known_digest

    with progress("downloading", 1.0, quiet=quiet) as advance:
        before = 0.0

        def tell(done: int, total: int | None) -> None:
            nonlocal before
            if total:
                advance(done / total - before)
                before = done / total

        path, digest, new = download_known(address, folder, sha256=sha256, pinned=known_digest(address), progress=tell)
    if sha256 is None:
        check_weights(path, address)
    say(f"{address}: SHA-256 {digest}{', recorded: it must be the same next time' if new else ''}", quiet=quiet)
    return path


def known(json: AsJson = False) -> None:
    """List public checkpoints that can be imported, and where they are."""
    from therapy_gen.musicvae.magenta.configs import CONFIGS, parameter_count, variable_shapes
    from therapy_gen.musicvae.magenta.public_checkpoints import PUBLIC

    documents: list[dict[str, Any]] = [
        {
            "name": checkpoint.name,
            "config": checkpoint.config,
            "about": checkpoint.about,
            "address": checkpoint.address,
            "parameters": parameter_count(variable_shapes(CONFIGS[checkpoint.config])),
        }
        for checkpoint in PUBLIC
    ]
    if json:
        print_json({"checkpoints": documents, "configs": list(CONFIGS)})
        return
    rows = [(each["name"], each["config"], f"{each['parameters'] / 1e6:.1f}") for each in documents]
    print_table(("name", "config", "million parameters"), rows, right=(2,))
    print()
    for each in documents:
        print(f"{each['name']}: {each['about']}\n  {each['address']}")


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="M", autocompletion=model_names, help="Name or file of a model")],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="PATH", help="Prefix of the checkpoint, or a .tar; a folder for tfjs"),
    ],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="magenta|tfjs",
            autocompletion=one_of("magenta", "tfjs"),
            help="For Magenta in Python, or Magenta.js",
        ),
    ] = "magenta",
    json: AsJson = False,
) -> None:
    """Write a model as a checkpoint that Magenta, or Magenta.js, loads."""
    from therapy_gen.errors import InputError
    from therapy_gen.musicvae.load import open_model
    from therapy_gen.musicvae.magenta.exports import FORMATS, export_magenta, export_tfjs
    from therapy_gen.musicvae.magenta.runtime import MagentaModel

    if format_ not in FORMATS:
        raise InputError(f"--format {format_!r} is not known; give one of: {', '.join(FORMATS)}")
    chosen = global_options(context)
    found = open_model(model, chosen.models_folder())
    if not isinstance(found, MagentaModel):
        raise InputError(
            f"model {model} is a network of therapy-gen's own, which Magenta has not; its file is the model"
        )
    write = export_tfjs if format_ == "tfjs" else export_magenta
    files, remarks = write(found, out)
    for remark in remarks:
        say(remark, quiet=chosen.quiet)
    if json:
        print_json({"files": [str(file) for file in files], "config": found.config.name, "remarks": remarks})
        return
    for file in files:
        print(printable(str(file)))


def check(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="M", autocompletion=model_names, help="Name or file of a model")],
    json: AsJson = False,
) -> None:
    """Run a model's weights in the implementation they come from, too, and show the largest differences.

    Magenta's models are compared with Magenta, others with Keras. Exits with 1 where a difference is too large.
    """
    from therapy_gen.musicvae.load import open_model
    from therapy_gen.musicvae.magenta.parity import compare_with_magenta
    from therapy_gen.musicvae.magenta.runtime import MagentaModel
    from therapy_gen.musicvae.parity import compare_with_keras

    found = open_model(model, global_options(context).models_folder())
    if isinstance(found, MagentaModel):
        against, differences = "Magenta", compare_with_magenta(found)
    else:
        against, differences = "Keras", compare_with_keras(found)
    agree = all(difference.within for difference in differences)
    if json:
        rows = [{"what": each.what, "largest": each.largest, "allowed": each.allowed} for each in differences]
        print_json({"model": found.name, "against": against, "agree": agree, "differences": rows})
    else:
        print_table(
            (f"NumPy against {against}", "largest", "allowed"),
            [(each.what, f"{each.largest:.2g}", f"{each.allowed:g}") for each in differences],
            right=(1, 2),
        )
    if not agree:
        raise typer.Exit(1)
