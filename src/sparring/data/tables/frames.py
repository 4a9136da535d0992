"""Rows of a table as Python takes them: a data frame where pandas is installed, and a list of dicts where it is not."""

import math
from typing import Any

from torch import Tensor

from sparring.data.tables.dates import offset_in
from sparring.spaces import Table
from sparring.spaces.columns import UNITS, Category, Column, Constant, Number


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
        kind: Any = one.dtype or (type_of(one) if not isinstance(one, Constant) else "")
        if isinstance(one, Category) and one.levels:
            kind = pd.CategoricalDtype([number(level) if one.numbers else level for level in one.levels], one.ordered)
            frame[one.name] = frame[one.name].astype(kind)
        elif kind and not (kind.startswith(("int", "uint")) and frame[one.name].isna().any()):
            frame[one.name] = frame[one.name].astype(kind)
    return frame


def type_of(column: Category | Number) -> str:
    """What a column of a file is in a frame; "" for what pandas finds itself."""
    if isinstance(column, Number) and ("%Y" in column.form or "%y" in column.form):
        return "datetime64[ns, UTC]" if column.form.endswith("Z") or offset_in(column.form) else "datetime64[ns]"
    return ""


def values(column: Column, cells: Tensor) -> list[Any]:
    """The cells of a column as Python values; None where they are missing."""
    written = column.write(cells)
    match column:
        case Number() if not column.form and not column.before and not column.after:
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


def to_arrow(space: Table, cells: Tensor) -> Any:
    """The same as a table of Arrow, whose columns have the types of the Parquet file, or of the frame, that was learned from."""
    import pyarrow as pa

    return pa.table({one.name: arrow(one, x) for one, x in zip(space.columns, cells.unbind(1), strict=True)})


def arrow(column: Column, cells: Tensor) -> Any:
    """A column of Arrow; null where a cell is missing.  The same type for the same column, whatever the cells are."""
    import pyarrow as pa

    kind = column.dtype or (type_of(column) if not isinstance(column, Constant) else "")
    if isinstance(column, Number) and kind.startswith("datetime64"):
        unit, _, zone = kind[len("datetime64["):-1].partition(", ")
        moments = (cells.nan_to_num().round() * UNITS[column.unit] - seconds_from_utc(column.form)) * 1e3
        return pa.array(moments.long().numpy(), pa.int64(), mask=cells.isnan().numpy()).cast(pa.timestamp("ms", zone or None)).cast(
            pa.timestamp(unit, zone or None))
    found = values(column, cells)
    if kind in ("bool", "boolean") and not isinstance(column, Number):
        return pa.array([None if one is None else str(one) == "True" for one in found], pa.bool_())
    match column:
        case Number():
            plain, whole = not (column.form or column.before or column.after), column.decimals[1] == 0 and not column.digits
        case Category():
            plain = column.numbers
            whole = plain and all(isinstance(number(value), int) for value in column.values if value not in column.missing)
        case Constant():
            plain, whole = kind.startswith(("int", "uint", "float")), False
    if plain and kind.startswith(("int", "uint", "float")):
        return pa.array([None if one is None else float(one) for one in found], pa.float64()).cast(pa.type_for_alias(kind), safe=False)
    if plain:
        return pa.array(found, pa.int64() if whole else pa.float64())
    return pa.array(found, pa.string())


def seconds_from_utc(form: str) -> int:
    offset = offset_in(form).replace(":", "")
    return int(offset[0] + "1") * (int(offset[1:3]) * 3600 + int(offset[3:5]) * 60) if offset else 0
