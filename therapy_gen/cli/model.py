"""`therapy-gen model`: the models that write music."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from therapy_gen.cli import training
from therapy_gen.cli.output import AsJson, print_json, print_table, printable
from therapy_gen.cli.settings import DEFAULT_MODEL, settings

if TYPE_CHECKING:
    from therapy_gen.musicvae.weights import Weights

app = typer.Typer(help="List, show and train models.", epilog="Example: therapy-gen model list", rich_markup_mode=None)


def _document(name: str, weights: Weights) -> dict[str, Any]:
    return {
        "name": name,
        "file": str(weights.path),
        "bytes": weights.path.stat().st_size,
        "sha256": weights.sha256,
        "parameters": sum(int(array.size) for array in weights.arrays.values()),
    }


@app.command("list", epilog="Example: therapy-gen model list --json")
def list_(context: typer.Context, json: AsJson = False) -> None:
    """List the embedded models and your own (in the folder `models` of --home)."""
    from therapy_gen.errors import InputError
    from therapy_gen.musicvae.weights import ASSETS, SUFFIX, load_weights

    documents = []
    own = settings(context).models_folder()
    seen: set[str] = set()
    for folder in (own, ASSETS):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.stem in seen:
                continue
            seen.add(path.stem)
            try:
                document = _document(path.stem, load_weights(path))
            except InputError as error:
                document = {"name": path.stem, "file": str(path), "error": str(error)}
            documents.append({**document, "embedded": folder == ASSETS, "default": path.stem == DEFAULT_MODEL})
    if json:
        print_json({"models": documents})
        return
    rows = [
        (
            document["name"],
            "embedded" if document["embedded"] else "own",
            "" if "error" in document else f"{document['bytes'] / 1e6:.1f}",
            document.get("error") or document["sha256"][:12],
        )
        for document in documents
    ]
    print_table(("name", "where", "MB", "sha256"), rows, right=(2,))


@app.command(epilog="Example: therapy-gen model info calm")
def info(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="M", help="Name or file of a model")] = DEFAULT_MODEL,
    json: AsJson = False,
) -> None:
    """Show a model's size, configuration, and what training recorded."""
    from therapy_gen.musicvae.weights import find_model, load_weights

    path = find_model(model, settings(context).models_folder())
    weights = load_weights(path)
    document = {
        **_document(path.stem, weights),
        "config": asdict(weights.config),
        "facts": dict(weights.facts),
    }
    if json:
        print_json({"model": document})
        return
    for name in ("name", "file", "bytes", "sha256", "parameters"):
        print(f"{name:<12}{printable(str(document[name]))}")
    for title in ("config", "facts"):
        print(f"\n{title}")
        for name, value in document[title].items():
            print(f"  {name:<20}{printable(str(value))}")


app.command("train", epilog=training.EPILOG)(training.train)
