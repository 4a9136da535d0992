"""The command line of the lab.  Nothing here imports torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sparring.cli.answer import finish
from sparring.cli.options import Json


def lab(
    runs: Annotated[Path, typer.Argument(metavar="RUNS_DIR", help="The folder that runs lie in, and new ones go into.")] = Path("runs"),
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="The port; the first free one from 8800 on when left "
                                             "out.")] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on. Others than this machine's own let other machines "
                                      "in.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Open the lab in a browser: see the game of the two networks, step it, change it, break it; and look at runs."""

    def action() -> dict[str, Any]:
        from sparring.cli.lab import lab as command

        return command(runs, port, host, browser)

    finish(action, as_json, "lab")
