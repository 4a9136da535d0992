"""The command `lab`: the game in a browser."""

import asyncio
import socket
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparring.cli.answer import say
from sparring.errors import InputError, needs


def lab(root: Path, port: int | None, host: str, browser: bool) -> dict[str, Any]:
    """Serve the lab until it is interrupted.  InputError for a port or a folder that cannot be used."""
    with needs("fastapi", "lab", "the lab"):
        import fastapi  # noqa: F401
    with needs("uvicorn", "lab", "the lab"):
        import uvicorn  # noqa: F401
    from sparring.lab.server import serve

    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file. Give a folder of runs.")
    found = free(host, port)
    if host not in ("127.0.0.1", "localhost", "::1"):
        say(f"--host {host}: everyone who reaches this machine by that name can watch the lab's games and runs, without encryption; who "
            "has the token in the address can also start runs on this machine. Use it only in a network that you trust.", err=True)

    def ready(address: str) -> None:
        say(f"The lab is at {address}\nIt shows the runs in {root}. Press Ctrl-C to end it; games are saved, and runs go on.")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    with suppress(KeyboardInterrupt):
        asyncio.run(serve(root.resolve(), host, found, ready))
    return {"runs": str(root), "text": "The lab has ended."}


def free(host: str, port: int | None) -> int:
    """The port asked for, or the first free one from 8800 on.  InputError when it is taken."""
    why = ""
    for candidate in [port] if port is not None else range(8800, 8820):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                why = error.strerror or str(error)
                continue
            return candidate
    what = f"port {port} of {host}" if port is not None else f"ports 8800 to 8819 of {host}"
    raise InputError(f"{what} cannot be used: {why}. Give another with --port, or another --host.")
