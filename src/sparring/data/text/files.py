"""Lines of text from a file or a folder of them; whatever is no text is refused with the way to mend it."""

from contextlib import suppress
from pathlib import Path

from sparring.data.opening import existing
from sparring.data.settings import check_memory, open_file
from sparring.data.tables.cells import Cells
from sparring.data.tables.mixed_text import read_cells, read_parquet_cells
from sparring.errors import InputError, did_you_mean, listed, shown

KINDS = "a .txt file with one sample a line, a folder of such files, or a table with column=NAME"
TABLES = {".csv": read_cells, ".tsv": read_cells, ".parquet": read_parquet_cells}
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}          # byte-order marks; that of UTF-8 is known to utf-8-sig
TAKES = 12              # bytes of memory that a byte of text takes while it is split


def lines_at(data: str | Path, column: str = "") -> tuple[list[str], str]:
    """Every line of the file, or of the .txt files of the folder in the order of their names, or every cell of a column of a table; and
    what to call it.  InputError for what is no text."""
    path = existing(data, KINDS)
    if not path.is_dir():
        if (read := TABLES.get(path.suffix.lower())) is not None:
            return cells_in(read(path), column)
        if path.suffix.lower() != ".txt":
            open_file(path).close()
            raise InputError(f"{shown(path)} is no .txt file. Lines of text are read from {KINDS}.")
        return lines_of(path), shown(path)
    try:
        files = sorted(entry for entry in path.iterdir() if entry.suffix.lower() == ".txt" and entry.is_file())
    except OSError as error:
        raise InputError(f"the folder {shown(path)} cannot be read: {error.strerror}. Check that you may open it.") from None
    if not files:
        raise InputError(f"there is no .txt file in the folder {shown(path)}. Give {KINDS}.")
    size = sum(file.stat().st_size for file in files)
    check_memory(TAKES * size, f"{len(files):,} files with {size:,} bytes of text", "Give fewer of them.")
    return [line for file in files for line in lines_of(file)], f"{shown(path)} ({len(files):,} files)"


def cells_in(table: Cells, column: str) -> tuple[list[str], str]:
    """The cells of a column, of the only one where none is named.  InputError where there is none of that name."""
    names = table.names
    if not column and len(names) > 1:
        raise InputError(f"{table.what} has {len(names):,} columns: {listed(names)}. Say which holds the text, such as "
                         f"column={shown(names[-1])}.")
    if column and column not in names:
        raise InputError(f"{table.what} has no column {shown(column)}.{did_you_mean(column, names)} Columns: {listed(names)}.")
    one = table.columns[names.index(column) if column else 0]
    return [one.values[code] for code in one.codes], f"column {shown(one.name)} of {table.what}"


def only_text(path: Path) -> bool:
    """Whether this is a .txt file, or a folder of nothing else."""
    if not path.is_dir():
        return path.suffix.lower() == ".txt"
    with suppress(OSError):                                     # of a folder that may not be read, others tell
        found = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        return bool(found) and all(entry.suffix.lower() == ".txt" and entry.is_file() for entry in found)
    return False


def lines_of(path: Path) -> list[str]:
    """The lines of one file in UTF-8, or in UTF-16 with a byte-order mark."""
    with open_file(path) as file:
        size = path.stat().st_size
        check_memory(TAKES * size, f"{shown(path)} holds {size:,} bytes of text", "Give a part of it.")
        data = file.read()
    code = MARKS.get(data[:2], "utf-8-sig")
    if code == "utf-8-sig" and b"\0" in data:
        refuse_zeros(path, data)
    try:
        return data.decode(code).splitlines()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{shown(path)} is not text in UTF-8, first in line {line:,}. Save it as UTF-8; of another encoding, such as "
                         f"GB18030, with: iconv -f GB18030 -t UTF-8 {shown(path)} > utf8.txt") from None


def refuse_zeros(path: Path, data: bytes) -> None:
    """InputError for bytes of zero: in UTF-16 nearly all of them are the first, or the second, half of a letter."""
    few = data[:1 << 16]
    halves = [few[k::2].count(0) for k in (0, 1)]
    if max(halves) > 8 * min(halves):
        order = "LE" if halves[1] > halves[0] else "BE"
        raise InputError(f"{shown(path)} looks like UTF-16 without a byte-order mark. Save it as UTF-8, with: iconv -f UTF-16{order} -t "
                         f"UTF-8 {shown(path)} > utf8.txt")
    raise InputError(f"{shown(path)} is not text: it holds bytes of zero, as binary files do. Give {KINDS}.")
