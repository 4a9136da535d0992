"""Work done in another process, which may fail, crash or take too long without ending this one."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

STARTING = 180.0        # seconds until the other process must be ready


class Guarded:
    """Calls `work`, a function of a module, in another process, which goes on to the next call unless it had to be ended.

    An error is a result with its text under "error".
    """

    def __init__(self, work: Callable[[str], dict[str, Any]]) -> None:
        self.work, self.process = work, None
        self.context = multiprocessing.get_context("spawn")     # a process that was forked cannot use CUDA

    def __call__(self, name: str, seconds: float) -> dict[str, Any]:
        try:
            self.start()
            self.pipe.send(name)
            if self.pipe.poll(seconds):
                return self.pipe.recv()
            why = f"not done after {seconds:.0f} s"
        except (EOFError, OSError):
            self.process.join(5)
            why = f"its process ended with exit code {self.process.exitcode}"
        self.close()
        return {"error": why}

    def start(self) -> None:
        """A process that is ready, where there is none."""
        if self.process is None:
            self.pipe, other = self.context.Pipe()
            self.process = self.context.Process(target=serve, args=(other, self.work))
            self.process.start()
            other.close()                                       # so that the end of the process is seen
            if not self.pipe.poll(STARTING):
                raise OSError
            self.pipe.recv()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


def serve(pipe: Connection, work: Callable[[str], dict[str, Any]]) -> None:
    """Answer until the other end is closed."""
    pipe.send("ready")
    while True:
        try:
            name = pipe.recv()
        except EOFError:
            return
        try:
            found = work(name)
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            found = {"error": f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]}
        pipe.send(found)
