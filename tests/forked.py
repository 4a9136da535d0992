"""Other processes, several as torchrun would start them, but forked from one that has imported torch already."""

import errno
import multiprocessing
import os
import signal
import socket
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from glances import glance, hurry

READY = ["sparring.cli.train", "sparring.cli.app", "torch._dynamo", "matplotlib.figure", "matplotlib.backends.backend_agg", "forked"]


class Ended(NamedTuple):
    """How a process ended: exit code (minus the signal that killed it), and all it said."""

    code: int
    said: str


def together(count: int, what: Any, folder: Path, *given: Any, seconds: float = 90) -> list[Ended]:
    """`what(rank, *given)` in so many processes; whoever has not ended by then is killed, with code -9."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        where = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    files = [folder / f"said-{rank}" for rank in range(count)]
    for file in files:
        file.unlink(missing_ok=True)
    processes = [started(what, rank, *given, said=file, where=where) for rank, file in enumerate(files)]
    until = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
    return [Ended(process.exitcode, file.read_text()) for process, file in zip(processes, files, strict=True)]


def started(what: Any, rank: int, *given: Any, said: Path, where: dict[str, str], errors: Path | None = None) -> Any:
    """`what(rank, *given)` in a process that says all into that file, errors into one of their own if there is one, with these variables
    in its environment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(READY)
    process = context.Process(target=one, args=(rank, where, said, errors or said, what, given))
    process.start()
    return process


def one(rank: int, where: dict[str, str], file: Path, errors: Path, what: Any, given: tuple[Any, ...]) -> None:
    os.environ.update(where, RANK=str(rank), LOCAL_RANK=str(rank))
    with open(file, "a", buffering=1) as said, open(errors, "a", buffering=1) as wrong:
        sys.stdout, sys.stderr = said, wrong
        os.dup2(wrong.fileno(), 2)
        glance()
        hurry()
        try:
            what(rank, *given)
        except Exception:
            traceback.print_exc()
            sys.exit(1)


# ---------------------------------------------------------------------------------------------- what they may do
def sparring(rank: int, *words: object) -> None:
    """The command line; a word may be a list, with one for each process."""
    from sparring.cli.app import app

    sys.argv = ["sparring", *(str(word[rank] if isinstance(word, list) else word) for word in words)]
    app()


def opens(rank: int, path: Path) -> None:
    """Open a set of images that is to be kept, and say which it is."""
    from sparring.data import open_source
    from sparring.data.images import folder

    folder.LONG = 0
    print(open_source(path).fingerprint)


def never_ends_opening(rank: int, path: Path) -> None:
    """The same; it is still writing what it keeps when it is killed."""
    os.fsync = lambda handle: print("writing", flush=True) or time.sleep(60)
    opens(rank, path)


def slowly(rank: int, *words: object) -> None:
    """The command line; every round takes long enough for a person to act."""
    from sparring.training import course

    moves = course.moves

    def played(*given: Any) -> Any:
        time.sleep(0.01)
        return moves(*given)

    course.moves = played
    sparring(rank, *words)


def with_a_full_disk(rank: int, *words: object) -> None:
    """The same, on a disk that takes no second checkpoint."""
    from sparring.runs import checkpoint

    write, written = checkpoint.write_synced, []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) > 6:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data)

    checkpoint.write_synced = full
    sparring(rank, *words)


def killed_while_saving(rank: int, *words: object) -> None:
    """The same; the last process is killed when it would agree on a second checkpoint."""
    from sparring.training import course

    save, saved = course.save, []

    def killing(*args: Any) -> None:
        saved.append(0)
        if rank and len(saved) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        save(*args)

    course.save = killing
    sparring(rank, *words)


def silent(rank: int, seconds: float) -> None:
    """The last process joins and then does nothing; the others wait for it within a round."""
    from sparring.game.processes import joined

    with joined(soon=timedelta(seconds=seconds)) as group:
        if rank == group.world_size - 1:
            time.sleep(5 * seconds)
        group.means({"a": 1.0})


def drifting(rank: int, *words: object) -> None:
    """The command line; in the last process one weight is changed after a while, by very little."""
    from sparring.training import course

    moves = course.moves

    def changed(game: Any, rounds: Any, step: int, share: Any) -> Any:
        if rank and step == 6:
            next(iter(game.players.values())).parameters[0].data.view(-1)[0] += 1e-6
        return moves(game, rounds, step, share)

    course.moves = changed
    sparring(rank, *words)


def compared(rank: int, file: str, every: bool) -> None:
    """Every recipe played together, and alone; with every setting and kind of data, or with each of these once."""
    import json

    import torch

    from played_together import cells, compare, few
    from sparring.game.processes import joined

    torch.set_num_threads(1)
    with joined() as group:
        Path(f"{file}-{rank}").write_text(json.dumps(compare(group, cells if every else few)))


def statistics(rank: int, file: str) -> None:
    """Sums, their gradients, what the first one says, and what they agree on."""
    import json

    import torch

    from sparring.errors import RunFailed
    from sparring.game.processes import joined, total

    with joined() as group:
        x = torch.tensor([1.0 + rank], requires_grad=True)
        with group.part_of(4):
            y = total(x)
        (y * (1 + rank)).sum().backward()
        found = {"total": y.item(), "slope": x.grad.item(), "text": group.broadcast(f"I am {rank}"), "any": group.any(rank == 1)}
        group.agree("nothing", "", b"same")
        try:
            group.agree("a number", "Try again.", bytes([rank // 1]))
        except RunFailed as error:
            found["refused"] = str(error)
        Path(f"{file}-{rank}").write_text(json.dumps(found))
