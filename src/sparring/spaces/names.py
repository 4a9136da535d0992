"""Names of classes: how they are shown, and in which order."""

from collections.abc import Iterable

from sparring.errors import shown


def number_order(name: str) -> tuple[int, str]:
    """A key to sort names of classes by: as text, and those that are whole numbers before them, by their size."""
    return (int(name), name) if name.isascii() and name.isdecimal() and len(name) <= 18 else (10**18, name)


def class_names(names: Iterable[object]) -> tuple[str, ...]:
    """Names of classes as they are shown; those that look alike are numbered, so that each can still be asked for."""
    found: dict[str, None] = {}
    for name in names:
        text = base = shown(name)
        number = 1
        while text in found:
            number += 1
            text = f"{base} ({number})"
        found[text] = None
    return tuple(found)
