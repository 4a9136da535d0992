"""The lab's server: its page, the games that are played now, and the runs below one folder."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from sparring import __version__
from sparring.doctor.exhibits import EXHIBITS
from sparring.errors import InputError, RunFailed, shown
from sparring.lab.asked import body_of, number_of, text_of, wanted_of
from sparring.lab.drawn import keep, named, place
from sparring.lab.games import Game, Games
from sparring.lab.guard import Guard, hosts_of
from sparring.lab.places import Nowhere
from sparring.lab.runs import add_runs, add_training, reopened
from sparring.lab.words import DATA, SHOWN, command, python

PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".json": "application/json", ".svg": "image/svg+xml"}
DOES = {"play", "pause", "round", "move", "player", "back"}
WISHES = {"heat", "best", "arrows", "warp"}


def create(root: Path, host: str, port: int, token: str = "") -> tuple[ASGIApp, Games, str]:
    """The application for runs below `root`, to be served at this address; its games; and the token for what changes something."""
    token = token or secrets.token_urlsafe(24)
    games = Games(root)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        games.spare = await games.player()
        yield
        await games.end_all()

    app = FastAPI(title="sparring lab", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.games = games
    for kind in (InputError, RunFailed):
        app.add_exception_handler(kind, refused)
    add_page(app)
    add_games(app, games, root)
    add_steering(app, games, root)
    add_runs(app, root)
    add_training(app, root)
    return Guard(app, hosts_of(host, port), token), games, token


async def refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if isinstance(error, Nowhere) else 422)


def add_page(app: FastAPI) -> None:
    """The page's own files, which are read once and are all that is served by name."""
    files = {path.name: (path.read_bytes(), KINDS[path.suffix]) for path in PAGE.iterdir() if path.suffix in KINDS}

    @app.get("/")
    async def index() -> Response:
        body, kind = files["index.html"]
        return Response(body, media_type=kind)

    @app.get("/page/{name}")
    async def file(name: str) -> Response:
        if name not in files:
            return JSONResponse({"error": "there is no such file."}, 404)
        body, kind = files[name]
        return Response(body, media_type=kind)

    @app.get("/api/about")
    async def about() -> Any:
        return {"version": __version__, "recipes": SHOWN, "data": DATA}

    @app.get("/api/gallery")
    async def gallery() -> Any:
        return [{"name": one.name, "title": one.title, "text": one.text,
                 "start": {"recipe": one.recipe, "data": one.data, "given": one.given}}
                for one in EXHIBITS if one.data in DATA and not one.own]


def add_games(app: FastAPI, games: Games, root: Path) -> None:
    """Begin, follow and see games."""

    @app.get("/api/games")
    async def listed() -> Any:
        return [{"name": game.name, "run": game.opened.get("run"), "state": game.state, "ended": game.ended}
                for game in games.games.values()]

    @app.post("/api/games")
    async def begin(request: Request) -> Any:
        asked = await body_of(request)
        if "run" in asked:
            wanted = await asyncio.to_thread(reopened, root, text_of(asked, "run", 300))
            if wanted["recipe"] not in SHOWN:
                raise InputError(f"the lab plays {', '.join(SHOWN)}, and this run is of {shown(wanted['recipe'])}. See it under Runs.")
            place(root, named(root, wanted["data"]))
        else:
            wanted = wanted_of(asked, root)
            wanted["out"] = games.folder(wanted["recipe"], wanted["data"])
        return {"name": (await games.begin(wanted)).name}

    @app.get("/api/games/{name}/events")
    async def events(name: str, request: Request) -> Response:
        game, last = games[name], request.headers.get("last-event-id", "") or request.query_params.get("last", "")
        number = int(last) if re.fullmatch(r"[0-9]{1,15}", last) else None

        async def stream() -> AsyncIterator[str]:
            yield "retry: 500\n\n"
            async for event, kind, data in game.follow(number):
                if await request.is_disconnected():
                    break
                yield f"id: {event}\nevent: {kind}\ndata: {data}\n\n" if kind else ": here\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.get("/api/games/{name}/frame")
    async def frame(name: str, wish: str = "", after: str = "-1") -> Response:
        wishes = frozenset(wish.split(",")) & WISHES
        version = int(after) if re.fullmatch(r"-1|[0-9]{1,15}", after) else -1
        data = await games[name].frame(wishes, version)
        return Response(status_code=204) if not data else Response(data, media_type="application/octet-stream")


def add_steering(app: FastAPI, games: Games, root: Path) -> None:
    """Play, change and close games, and keep what was drawn."""

    @app.post("/api/games/{name}/do")
    async def do(name: str, request: Request) -> Any:
        asked, game = await body_of(request), games[name]
        what = text_of(asked, "do")
        if what not in DOES:
            raise InputError(f"'{shown(what)}' is nothing that a game does. It does: {', '.join(sorted(DOES))}.")
        await game.send({"do": what, **{key: number_of(asked, key) for key in ("rate", "to") if key in asked},
                         **({"slow": bool(asked["slow"])} if "slow" in asked else {}),
                         **({"player": text_of(asked, "player")} if "player" in asked else {})})
        return {}

    @app.post("/api/games/{name}/change")
    async def change(name: str, request: Request) -> Any:
        asked, game = await body_of(request), games[name]
        wanted = wanted_of(asked, root)
        await game.send({"do": "change", **wanted, "out": games.folder(wanted["recipe"], wanted["data"]), "anew": bool(asked.get("anew")),
                         "play": bool(asked.get("play"))})
        return {}

    @app.post("/api/drawn")
    async def drawn(request: Request) -> Any:
        return {"data": keep(root, (await body_of(request)).get("points"))}

    @app.post("/api/games/{name}/close")
    async def close(name: str) -> Any:
        await games.end(games[name].name)
        return {}

    @app.get("/api/games/{name}/code")
    async def code(name: str) -> Any:
        return code_of(games[name], root)


def code_of(game: Game, root: Path) -> dict[str, str]:
    """The command and the Python that give the same bits as this game from its start."""
    about = game.opened
    if not about:
        raise InputError("this game is not open yet.")
    out = str(root / f"{about['run']}-again")
    note = "" if about["forked_from"] is None else \
        f"# This run went on from {about['forked_from']} after {about['first']} rounds; the lines below start from round 0.\n"
    data = place(root, about["data"])
    return {"command": note + command(about["recipe"], data, about["all_given"], about["seed"], out),
            "python": note + python(about["recipe"], data, about["all_given"], about["seed"])}


async def serve(root: Path, host: str, port: int, ready: Any = None) -> None:
    """Serve until interrupted; `ready(address)` is called once the address is known."""
    import uvicorn

    app, games, token = create(root, host, port)
    server = uvicorn.Server(uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, h11_max_incomplete_event_size=16384, limit_concurrency=200,
        timeout_keep_alive=30, server_header=False, timeout_graceful_shutdown=2, lifespan="on", http="h11"))
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():
        await asyncio.sleep(0.02)
    if server.started and ready is not None:
        ready(f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}/#token={token}")
    while not server.should_exit and not task.done():
        await asyncio.sleep(0.1)
    await asyncio.gather(*(game.leave() for game in games.games.values()))
    await task
