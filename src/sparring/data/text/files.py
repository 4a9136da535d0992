"""Lines of text from a file or a folder of them; whatever is no text is refused with the way to mend it."""

from pathlib import Path

from sparring.data.opening import existing
from sparring.data.settings import check_memory, open_file
from sparring.errors import InputError, shown

KINDS = "a .txt file with one sample a line, or a folder of such files"
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}          # byte-order marks; that of UTF-8 is known to utf-8-sig
TAKES = 12              # bytes of memory that a byte of text takes while it is split


def lines_at(data: str | Path) -> tuple[list[str], str]:
    """Every line of the file, or of the .txt files of the folder in the order of their names, and what to call it.  InputError for what
    is no text."""
    path = existing(data, KINDS)
    if not path.is_dir():
        if path.suffix.lower() != ".txt":
            open_file(path).close()
            raise InputError(f"{shown(path)} is no .txt file. Lines of text are read from {KINDS}; of a table, save the column as such.")
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
