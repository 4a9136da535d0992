"""The games that are played now: a process for each, what it told, and the frames that pages wait for.

A game goes on when pages leave; it ends when it is closed or the lab ends, and its run folder then holds everything.
"""

import asyncio
import itertools
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparring.errors import InputError
from sparring.lab.drawn import named
from sparring.lab.places import unused

HEAD = 5                            # bytes before each message: its kind, and its length
KEPT, ROWS = 2000, 4000             # events that can be sent again, and logged rounds that a chart gets
AT_ONCE = 3                         # games at a time: each takes a processor
WAIT = 20.0                         # seconds that a frame is waited for
LARGEST = 2**26
LATELY = 1.5                        # seconds for which a wish holds


@dataclass
class Game:
    """One process, and what is known of it."""

    name: str
    root: Path                      # where runs lie
    process: asyncio.subprocess.Process
    opened: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    said: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    number: int = 0                 # of the last event
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    asked: int = 0                  # frames
    pending: asyncio.Future[bytes] | None = None                # the next frame
    wishes: dict[str, float] = field(default_factory=dict)      # what pages wished to see, and when they last did
    ended: bool = False
    left: bool = False              # the lab ends

    # ---------------------------------------------------------------------------------------------- from the process
    async def listen(self) -> None:
        """Take in what the process says until it ends."""
        assert self.process.stdout is not None
        try:
            while True:
                head = await self.process.stdout.readexactly(HEAD)
                length = int.from_bytes(head[1:], "little")
                if length > LARGEST:
                    break
                data = await self.process.stdout.readexactly(length)
                if head[:1] == b"J":
                    await self.heard(json.loads(data))
                else:
                    self.shown(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.ended = True
        if self.pending is not None and not self.pending.done():
            self.pending.set_result(b"")
        text = "The process of this game has ended. Its run folder is whole: open the game again to go on from its last checkpoint."
        await self.tell("ended", {"text": text})

    async def heard(self, message: dict[str, Any]) -> None:
        kind = message.pop("type")
        if kind == "opened":
            message["data"] = named(self.root, message["data"])
            self.opened, self.health = message, {}
            if message["forked_from"] is None:
                self.rows = []
            self.rows = [row for row in self.rows if row["step"] <= message["first"]]
        elif kind == "state":
            self.state = message
        elif kind == "health":
            self.health = message
        elif kind == "say":
            message["number"] = self.number + 1
            self.said.append(message)
        elif kind == "rewound":
            self.rows = [row for row in self.rows if row["step"] <= message["step"]]
        elif kind == "rows":
            self.rows += message["rows"]
            if len(self.rows) > ROWS:                           # fewer of the early ones: a chart has so many pixels
                self.rows = [*self.rows[:ROWS // 2:2], *self.rows[ROWS // 2:]]
        await self.tell(kind, message)

    async def tell(self, kind: str, message: Mapping[str, Any]) -> None:
        async with self.changed:
            self.number += 1
            self.events.append((self.number, kind, json.dumps(message)))
            self.changed.notify_all()

    def shown(self, data: bytes) -> None:
        if self.pending is not None and not self.pending.done():
            self.pending.set_result(data)

    # ------------------------------------------------------------------------------------------------- to the process
    async def send(self, command: Mapping[str, Any]) -> None:
        """InputError when the process has ended."""
        if self.ended or self.process.stdin is None or self.process.stdin.is_closing():
            raise InputError("this game is not running any more. Open it again.")
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()

    async def frame(self, wish: frozenset[str], after: int) -> bytes | None:
        """A frame newer than version `after`, -1 for one in any case, as soon as there is one; None when nothing new happened for a while.

        The process makes one frame at a time.  All pages that wait are given it, with what any of them wished for lately.
        """
        now = asyncio.get_running_loop().time()
        self.wishes = {name: when for name, when in self.wishes.items() if now - when < LATELY} | dict.fromkeys(wish, now)
        if self.pending is None or self.pending.done() or after < 0:
            self.pending = self.pending if self.pending is not None and not self.pending.done() else \
                asyncio.get_running_loop().create_future()
            self.asked += 1
            await self.send({"do": "frame", "number": self.asked, "wish": dict.fromkeys(self.wishes, True), "after": after})
        try:
            return await asyncio.wait_for(asyncio.shield(self.pending), WAIT)
        except TimeoutError:
            return None

    # ------------------------------------------------------------------------------------------------- to the page
    def all(self) -> str:
        """Everything that a page needs which comes anew."""
        return json.dumps({"name": self.name, "opened": self.opened, "state": self.state, "health": self.health, "said": list(self.said),
                           "rows": self.rows, "ended": self.ended})

    async def follow(self, last: int | None) -> AsyncIterator[tuple[int, str, str]]:
        """Events after number `last`; where these are not known any more, everything first."""
        sent = last
        if sent is None or sent > self.number or (self.events and sent < self.events[0][0] - 1):
            sent = self.number
            yield sent, "all", self.all()
        while not self.left:
            async with self.changed:
                if self.number <= sent and not self.left:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.changed.wait(), 15)
                fresh = [event for event in self.events if event[0] > sent]
                behind = bool(fresh) and fresh[0][0] > sent + 1
            if behind:
                sent = self.number
                yield sent, "all", self.all()
                continue
            if not fresh:
                yield sent, "", ""                              # so that a connection that is gone is noticed
            for event in fresh:
                yield event
                sent = event[0]

    async def leave(self) -> None:
        """Let the pages that wait go."""
        self.left = True
        if self.pending is not None and not self.pending.done():
            self.pending.set_result(b"")
        async with self.changed:
            self.changed.notify_all()

    async def close(self) -> None:
        """Let the process finish its round, save and end."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 30)
        except TimeoutError:
            self.process.terminate()


class Games:
    """All games of this lab by name."""

    def __init__(self, root: Path) -> None:
        self.root, self.games, self.numbers = root, dict[str, Game](), itertools.count(1)
        self.tasks: set[asyncio.Task[None]] = set()
        self.spare: asyncio.subprocess.Process | None = None

    def __getitem__(self, name: str) -> Game:
        if name not in self.games:
            raise InputError("there is no such game here. It may have been closed, or the lab was started again.")
        return self.games[name]

    async def begin(self, wanted: Mapping[str, Any]) -> Game:
        """Start a process that opens a run: a new one, or `run` again."""
        running = [game for game in self.games.values() if not game.ended]
        if len(running) >= AT_ONCE:                             # the one that was begun first makes room, unless it is played
            idle = next((game for game in running if not game.state.get("playing")), None)
            if idle is None:
                raise InputError(f"{AT_ONCE} games are played at once already. Pause or close one.")
            await self.end(idle.name)
        ready, self.spare = self.spare, None
        process = ready if ready is not None and ready.returncode is None else await self.player()
        game = Game(f"g{next(self.numbers)}", self.root, process)
        self.games[game.name] = game
        task = asyncio.create_task(game.listen())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        await game.send({"do": "open", **wanted})
        self.spare = await self.player()
        return game

    async def player(self) -> asyncio.subprocess.Process:
        """A process that can play.  One is always kept that has nothing to play yet, since to start takes seconds."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sparring.lab.player", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            start_new_session=True)

    def folder(self, recipe: str, data: str) -> str:
        """Where a new run goes."""
        self.root.mkdir(parents=True, exist_ok=True)
        return str(unused(self.root, f"lab-{recipe}-{Path(data).stem}"))

    async def end(self, name: str) -> None:
        game = self.games.pop(name, None)
        if game is not None:
            await game.close()

    async def end_all(self) -> None:
        await asyncio.gather(*(self.end(name) for name in list(self.games)))
        if self.spare is not None and self.spare.returncode is None:
            self.spare.kill()                                   # it holds no run
            await self.spare.wait()
