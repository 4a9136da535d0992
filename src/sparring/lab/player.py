"""The process that plays one game of the lab: commands in, one JSON object a line; messages out, each a kind, a length and bytes.

It leaves an ordinary run folder.  When nobody is left who could send a command, it finishes the round, saves, and ends.
"""

import json
import os
import queue
import struct
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sparring.errors import InputError, RunFailed
from sparring.game import NotFinite
from sparring.lab.frames import pack
from sparring.lab.live import LiveRun, lively
from sparring.lab.scene import Wish
from sparring.lab.words import form
from sparring.setup.request import Request

HEAD = struct.Struct("<cI")         # of a message: its kind, J for JSON or F for a frame, and its length in bytes
OFTEN = 0.05                        # seconds between reports of where the game is
SLOW = 0.7                          # seconds between two moves in slow motion
BURST = 0.02                        # seconds of rounds between two looks at the commands


class Teller:
    """Sends messages; also the progress that a run reports to."""

    def __init__(self, out: BinaryIO) -> None:
        self.out, self.rows, self.lock = out, list[dict[str, float]](), threading.Lock()

    def send(self, kind: bytes, data: bytes) -> None:
        with self.lock:
            self.out.write(HEAD.pack(kind, len(data)) + data)
            self.out.flush()

    def tell(self, what: str, **facts: Any) -> None:
        self.send(b"J", json.dumps({"type": what, **facts}).encode())

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        self.rows.append({"step": step, **values})

    def say(self, message: str) -> None:
        self.tell("say", text=message, kind="doctor" if message.startswith("doctor:") else "note")

    def flush(self) -> None:
        if self.rows:
            self.tell("rows", rows=self.rows)
            self.rows = []


class Table:
    """The game in this process and how it is played: on its own or by single moves, fast or slowly."""

    def __init__(self, teller: Teller, commands: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
        self.teller, self.commands = teller, commands
        self.run: LiveRun | None = None
        self.playing, self.slow, self.rate = False, False, 0.0
        self.broken, self.finished, self.version = "", False, 0
        self.wanted: dict[str, Any] | None = None               # a frame that waits for something new
        self.told, self.moved, self.diagnosed = 0.0, 0.0, -1
        self.rated, self.rounds_then = time.monotonic(), 0
        self.speed = 0.0

    # -------------------------------------------------------------------------------------------------- the loop
    def loop(self) -> None:
        while True:
            try:
                command = self.commands.get(block=True, timeout=self.patience()) if self.patience() != 0 else self.commands.get_nowait()
            except queue.Empty:
                command = {"do": "nothing"}
            if command is None:
                break
            try:
                self.obey(command)
                if self.playing:
                    self.advance()
            except NotFinite as error:
                self.playing, self.broken = False, str(error)
                self.teller.tell("say", text=str(error), kind="error")
                self.report(True)
            except (InputError, RunFailed) as error:
                self.playing = False
                self.teller.tell("say", text=str(error), kind="error")
                self.report(True)
        if self.run is not None:
            if not self.broken and not self.finished:
                self.run.save()
            self.run.close()

    def patience(self) -> float | None:
        """How long to wait for a command: not while the game is played, and else for ever."""
        if not self.playing:
            return None
        if self.slow or self.rate:
            return max(0.0, self.moved + (SLOW if self.slow else 1 / self.rate) - time.monotonic())
        return 0.0

    def obey(self, command: Mapping[str, Any]) -> None:
        match command["do"]:
            case "open":
                self.open(command)
            case "frame":
                self.wanted = dict(command)
                self.show()
            case "play":
                self.playing = self.run is not None and not self.finished and not self.broken
                self.slow, self.rate = bool(command.get("slow")), float(command.get("rate", 0))
                self.moved = 0.0
                self.report(True)
            case "pause":
                self.playing = False
                self.report(True)
            case "round" | "move" | "player" | "back" as how if self.run is not None:
                self.playing = False
                self.by_hand(self.run, how, command)
            case "change":
                self.change(command)
            case _:
                pass

    # -------------------------------------------------------------------------------------------------- opening
    def open(self, command: Mapping[str, Any], fork: Path | None = None) -> None:
        """Open a run, as asked; what was open before stays if that is impossible."""
        given = lively(command["recipe"], command["given"])
        out, seed = Path(command["out"]), int(command.get("seed", 0))
        request = Request(command["recipe"], command["data"], given, seed, "cpu", command="sparring lab")
        run = LiveRun(request, out, self.teller, fork)
        if self.run is not None:
            self.run.close()
        self.run, self.broken, self.finished = run, "", False
        self.diagnosed = -1
        game = run.game
        turns = {name: {"player": run.player_of(name), "times": turn.times} for name, turn in game.turns.items()}
        self.teller.tell("opened", run=run.folder.path.name, recipe=command["recipe"], data=command["data"], given=dict(command["given"]),
                         all_given=given, seed=seed, settings=run.settings.model_dump(), turns=turns, kind=run.scene.kind,
                         parameters={name: sum(p.numel() for p in player.parameters) for name, player in game.players.items()},
                         first=run.first, believes=game.judge is not None, forked_from=None if fork is None else out.name,
                         fields=form(command["recipe"]))
        self.report(True)
        self.show()
        if run.due() is not None:
            self.end()

    def change(self, command: Mapping[str, Any]) -> None:
        """Go on from here with other settings, in a new folder; or from the start where the networks would not fit, or nothing was
        played yet."""
        run, going = self.run, self.playing
        assert run is not None
        if not self.broken and not self.finished:
            run.save()
        self.teller.flush()
        old, new = run.folder.path, Path(command["out"])
        given = dict(command["given"])
        if not command.get("anew") and int(lively(command["recipe"], given).get("steps", 0)) <= run.step:
            given["steps"] = 2 * run.step                       # a run that goes on needs rounds to go on with
        command = {**command, "given": given}
        if command.get("anew") or run.step == 0 or not any(run.folder.checkpoints.glob("[0-9]*")):
            self.open({**command, "out": str(new)})
        else:
            try:
                self.open({**command, "out": str(old)}, new)
            except InputError as error:
                if "cannot continue with these settings" not in str(error):
                    raise
                self.open({**command, "out": str(new)})
                self.teller.tell("say", kind="note", text="These settings need other networks, so the game begins again.")
        self.playing = (going or bool(command.get("play"))) and not self.finished
        self.report(True)

    def end(self) -> None:
        self.playing, self.finished = False, True
        self.teller.tell("say", kind="note", text="This run is finished, and its model is written. Change the number of rounds to go on.")
        self.report(True)

    # -------------------------------------------------------------------------------------------------- playing
    def advance(self) -> None:
        """Play for a moment: a move in slow motion, a round at a given rate, or as many as go into a burst."""
        assert self.run is not None
        until = time.monotonic() + BURST
        if self.slow or self.rate:
            if time.monotonic() < self.moved + (SLOW if self.slow else 1 / self.rate):
                return
            self.moved = time.monotonic()
            outcome = self.run.move() if self.slow else self.run.play()
        else:
            while (outcome := self.run.play()) is None and time.monotonic() < until and not self.run.course.done:
                pass
        self.after(outcome is not None)

    def by_hand(self, run: LiveRun, how: str, command: Mapping[str, Any]) -> None:
        """One round, one move, the moves up to the next one of a player, or some rounds back."""
        ended = False
        if how == "back":
            self.broken, self.finished = "", False
            to = int(command["to"])
            self.teller.rows = []
            run.back(to)
            self.teller.rows = []
            self.teller.tell("rewound", step=run.step)
        elif self.broken or self.finished:
            return
        elif how == "player":
            ended = self.until(run, str(command["player"]))
        else:
            ended = (run.play() if how == "round" else run.move()) is not None
        self.after(ended)

    def until(self, run: LiveRun, player: str) -> bool:
        """Moves up to and with the next one of this player; whether the run ended first."""
        most = sum(turn.times for turn in run.game.turns.values()) + 1
        for _ in range(most):
            if run.move() is not None:
                return True
            if run.last is not None and run.player_of(run.last.turn) == player:
                break
        return False

    def after(self, ended: bool) -> None:
        """What there is to tell after something was played."""
        self.version += 1
        if ended:
            self.end()
        self.report(not self.playing or self.slow)
        self.show()

    # -------------------------------------------------------------------------------------------------- telling
    def report(self, now: bool) -> None:
        """Where the game is, at most every so often unless it is to be told now."""
        if self.run is None or (not now and time.monotonic() - self.told < OFTEN):
            return
        self.version += now
        self.told = time.monotonic()
        run = self.run
        if self.told - self.rated > 0.5:
            self.speed = max(0, run.step - self.rounds_then) / (self.told - self.rated) if self.playing else 0.0
            self.rated, self.rounds_then = self.told, run.step
        self.teller.flush()
        doctor = run.course.doctor
        if doctor is not None and doctor.diagnosis is not None and doctor.diagnosis.step != self.diagnosed:
            self.diagnosed = doctor.diagnosis.step
            self.teller.tell("health", step=self.diagnosed, line=doctor.diagnosis.line(), **doctor.diagnosis.plain())
        last = run.last
        move = None if last is None else {
            "turn": last.turn, "player": run.player_of(last.turn), "repeat": last.repeat + 1, "times": last.times,
            "terms": {name: float(value.detach()) for name, value in last.report.minimize.items()}}
        following = run.next_turn() if not run.course.done else ""
        self.teller.tell("state", step=run.step, steps=run.plan.steps, playing=self.playing, slow=self.slow, rate=self.rate, move=move,
                         inside=run.moving is not None, next=following and run.player_of(following), broken=self.broken,
                         finished=self.finished, speed=round(self.speed, 1), first=run.first)

    def show(self) -> None:
        """Send the frame that is waited for, if there is something new to see."""
        if self.wanted is None or self.run is None or self.wanted.get("after") == self.version:
            return
        wish, number = self.wanted.get("wish", {}), self.wanted["number"]
        self.wanted = None
        facts, arrays = self.run.scene.frame(Wish(**{name: bool(wish.get(name)) for name in ("heat", "best", "arrows", "warp")}))
        self.teller.send(b"F", pack({**facts, "number": number, "version": self.version, "step": self.run.step,
                                     "run": self.run.folder.path.name}, arrays))


def main() -> None:
    """Play for whoever started this process and holds its standard input and output."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                               # whatever prints does not come between messages
    commands: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            commands.put(json.loads(line))
        commands.put(None)

    threading.Thread(target=read, daemon=True).start()
    Table(Teller(out), commands).loop()


if __name__ == "__main__":
    main()
