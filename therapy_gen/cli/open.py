"""`therapy-gen open`: the local app in a browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from therapy_gen.cli.completion import model_names
from therapy_gen.cli.context import DEFAULT_MODEL, global_options, use_one_thread
from therapy_gen.cli.output import say
from therapy_gen.errors import MissingExtraError

if TYPE_CHECKING:
    from therapy_gen.app.guard import Guard
    from therapy_gen.app.server import Address

EPILOG = "Example: therapy-gen open"


def open_app(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(metavar="N", help="Port of this machine  [default: a free one]", min=0, max=65535)
    ] = 0,
    lan: Annotated[bool, typer.Option("--lan", help="Let a phone in the same network in, with a pairing code")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser")] = True,
    model: Annotated[
        str, typer.Option(metavar="NAME_OR_FILE", autocompletion=model_names, help="Model that writes the music")
    ] = DEFAULT_MODEL,
) -> None:
    """Open the app in a browser, to listen and to keep clients' sessions; it runs until Ctrl-C.

    All data stay on this machine. With --lan it can be reached from the same network with the pairing code; that
    traffic is not encrypted.
    """
    options = global_options(context)
    use_one_thread()
    try:
        from therapy_gen.app.desk import Desk
        from therapy_gen.app.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise MissingExtraError("the app (open)", "app") from None

    def ready(address: Address, guard: Guard) -> None:
        print(f"Open {address.url}", flush=True)
        for where in address.lan:
            print(f"On a phone in the same network: {where} with the code {address.code}", flush=True)
        if lan and not address.lan:
            print(
                f"No network was found; later: http://ADDRESS:{address.port}/ with the code {address.code}", flush=True
            )
        guard.new_code = lambda code: print(
            f"Five wrong codes came: from now on, after a minute, it is {code}", flush=True
        )
        say("Ctrl-C ends it", quiet=options.quiet)
        # Ready when Play is pressed.
        desk.warm_up()
        if browser:
            import threading
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(address.url,), daemon=True).start()

    desk = Desk(options.store(), lambda: options.section_model(model, "numpy"), options.home_folder() / "renders")
    try:
        serve(desk, port, lan=lan, ready=ready)
    except KeyboardInterrupt:
        say("ended", quiet=options.quiet)
        sys.stdout.flush()
        # Everything is stored; rendering threads are not waited for.
        os._exit(0)
