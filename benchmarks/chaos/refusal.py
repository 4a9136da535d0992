"""What a refusal must say, and what data that was accepted must be: simple checks that a program can make."""

import re
from collections.abc import Iterable

import torch

from sparring.data.source import Finite
from sparring.spaces import Images

# A fix is a clause that begins with one of these: after a full stop, colon, semicolon or comma, after "or", or at the start.
VERBS = ("give", "check", "repair", "remove", "download", "convert", "save", "pack", "unpack", "split", "divide", "scale", "reshape",
         "drop", "fill", "use", "leave", "add", "put", "get", "name", "choose", "make", "write", "read", "move", "take", "draw")
FIX = re.compile(rf"(?:^|[.:;,)] |\n| or )(?:{'|'.join(VERBS)})\b", re.IGNORECASE)
DISGUISE = re.compile(r"MemoryError|[Uu]nable to allocate|not enough memory|Traceback|object at 0x|"
                      r"(?:damaged|read|np[yz]|zip|list|short|opened) \(\)")
LONGEST = 1500      # letters of a message


def unhelpful(message: str, names: Iterable[str]) -> str | None:
    """What is wrong with a refusal, or None: it must name one of `names`, say why in two words or more, and begin a clause
    with what to do (see VERBS).  It must also be printable, not longer than LONGEST, and no failed allocation in disguise."""
    short = message if len(message) < 300 else f"{message[:200]}...{message[-90:]}"
    mine = [name for name in names if name in message]
    if not mine:
        return f"names none of {list(names)}: {short!r}"
    fix = FIX.search(message)
    if fix is None:
        return f"says nothing about what to do: {short!r}"
    longest = max(mine, key=len)
    if len(re.findall(r"[^\W_]+", FIX.split(message, maxsplit=1)[0].replace(longest, ""))) < 2:
        return f"gives no reason: {short!r}"
    if not all(c.isprintable() or c == "\n" for c in message):
        return f"holds letters that cannot be printed: {short!r}"
    if len(message) > LONGEST:
        return f"is {len(message)} letters long: {short!r}"
    if DISGUISE.search(message):
        return f"hides a failure or has none to tell: {short!r}"
    return None


def insane(source: object) -> str | None:
    """What is wrong with data that was accepted, or None."""
    if not isinstance(source, Finite):
        return f"is a {type(source).__name__}"
    values, space = source.values, source.space
    wanted = torch.uint8 if isinstance(space, Images) else torch.float32
    if tuple(values.shape[1:]) != tuple(space.shape) or len(values) == 0 or values.dtype != wanted:
        return f"values of {values.dtype}{list(values.shape)} do not fit {str(space)[:200]}"
    if not bool(torch.isfinite(values.float()).all()):
        return "values are not finite"
    batch = source.at(torch.tensor([0, len(source) - 1]))
    if not bool(torch.isfinite(batch.x).all()) or not bool(torch.isfinite(space.decode(batch.x)).all()):
        return "what networks see is not finite"
    if source.labels is not None and source.labels.is_floating_point():
        if len(source.labels) != len(values) or not bool(torch.isfinite(source.labels).all()):
            return "labels are not finite, or not one row a sample"
    elif source.labels is not None:
        low, high = int(source.labels.min()), int(source.labels.max())
        if len(source.labels) != len(values) or low < 0 or high >= len(space.labels):
            return f"labels from {low} to {high} do not fit {len(space.labels)} classes"
    if len(set(space.labels)) != len(space.labels) or not all(name.isprintable() for name in space.labels):
        return f"the classes {str(space.labels)[:200]} cannot be told apart or printed"
    if not all(note.isprintable() for note in source.notes) or len(source.fingerprint) != 64:
        return f"the notes cannot be printed: {str(source.notes)[:200]}"
    return None if source.held_out is None else insane(source.held_out)
