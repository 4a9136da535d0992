"""What is told of data and of networks of one's own before training in Python: all notes to who watches, and to who does not, what was
left out or assumed.
"""

import warnings
from collections.abc import Callable

from sparring.setup.prepare import Prepared


def announced(prepared: Prepared, say: Callable[[str], object] | None) -> Prepared:
    """Tell it with `say`, or as warnings when that is None; the run's folder is let go of when that fails, as warnings may be errors."""
    try:
        if say is not None:
            for note in (*getattr(prepared.source, "notes", ()), *prepared.notes):
                say(note)
        else:
            for note in getattr(prepared.source, "odd", ()):
                warnings.warn(f"the data: {note}", stacklevel=3)
            for note in prepared.notes:
                warnings.warn(note, stacklevel=3)
    except BaseException:
        prepared.folder.unlock()
        raise
    return prepared
