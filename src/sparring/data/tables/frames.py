"""Rows of a table as Python takes them: a data frame where pandas is installed, and a list of dicts where it is not."""

import math
from typing import Any

from torch import Tensor

from sparring.spaces import Table
from sparring.spaces.columns import Category, Column, Constant, Number


def to_frame(space: Table, cells: Tensor) -> Any:
    """Cells, float64[N, K], as rows whose columns have the types of the data frame that was learned from; of a file, numbers where all
    cells are numbers."""
    columns = {one.name: values(one, x) for one, x in zip(space.columns, cells.unbind(1), strict=True)}
    try:
        import pandas as pd
    except ImportError:
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    frame = pd.DataFrame(columns)
    for one in space.columns:
        kind = one.dtype or (type_of(one) if not isinstance(one, Constant) else "")
        if kind and not (kind.startswith(("int", "uint")) and frame[one.name].isna().any()):
            frame[one.name] = frame[one.name].astype(kind)
    return frame


def type_of(column: Category | Number) -> str:
    """What a column of a file is in a frame; "" for what pandas finds itself."""
    if isinstance(column, Number) and column.form:
        return "datetime64[ns]" if "%Y" in column.form or "%y" in column.form else ""
    return ""


def values(column: Column, cells: Tensor) -> list[Any]:
    """The cells of a column as Python values; None where they are missing."""
    written = column.write(cells)
    match column:
        case Number() if not column.form:
            whole = column.decimals[1] == 0 and not column.digits
            return [None if math.isnan(x) else int(x) if whole else x for x in cells.tolist()]
        case Number():
            return [None if math.isnan(x) else text for x, text in zip(cells.tolist(), written, strict=True)]
        case Category() if column.dtype in ("bool", "boolean"):
            return [None if text in column.missing else text == "True" for text in written]
        case Category():
            return [None if text in column.missing else number(text) if column.numbers else text for text in written]
        case Constant():
            return [text or None for text in written]


def number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
