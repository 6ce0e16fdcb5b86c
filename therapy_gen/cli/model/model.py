"""`therapy-gen model`: the models that write music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from therapy_gen.cli.completion import model_names
from therapy_gen.cli.context import DEFAULT_MODEL, global_options
from therapy_gen.cli.model import evaluate, model_files, train
from therapy_gen.cli.output import AsJson, print_json, print_table, printable, say, with_options

app = typer.Typer(
    help="List, show, train, import, export and check models.",
    epilog="Example: therapy-gen model list",
    rich_markup_mode=None,
)


def _document(path: Path) -> dict[str, Any]:
    """Return the facts in a model's file; InputError where it is damaged or not a model."""
    from therapy_gen.musicvae.magenta.imported_weights import load_stored, read_header
    from therapy_gen.musicvae.weights import load_weights

    kind = "magenta" if read_header(path).is_magenta else "therapy-gen"
    weights = load_stored(path) if kind == "magenta" else load_weights(path)
    return {
        "name": path.stem,
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": weights.sha256,
        "kind": kind,
        "parameters": sum(int(array.size) for array in weights.arrays.values()),
        "config": asdict(weights.config),
        "facts": dict(weights.facts),
    }


@app.command("list", epilog="Example: therapy-gen model list --json")
def list_(context: typer.Context, json: AsJson = False) -> None:
    """List the embedded models and your own (in the folder `models` of --home)."""
    from therapy_gen.errors import InputError
    from therapy_gen.musicvae.weights import ASSETS, SUFFIX

    documents = []
    options = global_options(context)
    own = options.models_folder()
    seen: set[str] = set()
    for folder in (own, ASSETS):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.stem in seen:
                continue
            seen.add(path.stem)
            try:
                document = _document(path)
                del document["facts"]
                document["config"] = document["config"]["name"]
            except InputError as error:
                document = {"name": path.stem, "file": str(path), "error": with_options(str(error))}
            documents.append({**document, "embedded": folder == ASSETS, "default": path.stem == DEFAULT_MODEL})
    if json:
        print_json({"models": documents})
        return
    rows = [
        (
            document["name"],
            "embedded" if document["embedded"] else "own",
            "" if "error" in document else f"{document['bytes'] / 1e6:.1f}",
            document.get("config", ""),
            "damaged" if "error" in document else document["sha256"][:12],
        )
        for document in documents
    ]
    for document in documents:
        if "error" in document:
            say(document["error"], quiet=options.quiet)
    print_table(("name", "where", "MB", "config", "sha256"), rows, right=(2,))


@app.command(epilog="Example: therapy-gen model info calm")
def info(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="M", autocompletion=model_names, help="Name or file of a model")
    ] = DEFAULT_MODEL,
    json: AsJson = False,
) -> None:
    """Show a model's size, configuration, and what training recorded."""
    from therapy_gen.musicvae.weights import find_model

    document = _document(find_model(model, global_options(context).models_folder()))
    if json:
        print_json({"model": document})
        return
    for name in ("name", "file", "bytes", "sha256", "kind", "parameters"):
        print(f"{name:<12}{printable(str(document[name]))}")
    for title in ("config", "facts"):
        print(f"\n{title}")
        _print_nested(document[title], "  ")


def _print_nested(values: Mapping[str, Any], indent: str) -> None:
    """Print a line for each value; values of a mapping come below its name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            print(f"{indent}{printable(name)}")
            _print_nested(value, f"{indent}  ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            print(f"{indent}{printable(name):<20}{printable(shown)}")


app.command("train", epilog=train.EPILOG)(train.train)
app.command("import", epilog=model_files.IMPORT_EPILOG)(model_files.import_)
app.command("known", epilog=model_files.KNOWN_EPILOG)(model_files.known)
app.command("export", epilog=model_files.EXPORT_EPILOG)(model_files.export)
app.command("check", epilog=model_files.CHECK_EPILOG)(model_files.check)
app.command("eval", epilog=evaluate.EPILOG)(evaluate.evaluate)
