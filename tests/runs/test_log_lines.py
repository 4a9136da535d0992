"""Lines of charts from logs that grow: exact in the end, whatever was read first, and no larger than the chart."""

import json
import math

import numpy as np
import pytest

from sparring.runs import log_lines
from sparring.runs.folder import write_atomic
from sparring.runs.index import Foreign
from sparring.runs.log_lines import BUCKETS, LogLines


def rows(first, last, rng=np.random.default_rng(0)):
    return [{"step": step, "time": step / 8, "d/loss": round(float(rng.normal()), 6)} for step in range(first, last)]


def written(path, some, how="w"):
    with open(path, how) as file:
        file.writelines(json.dumps(row) + "\n" for row in some)


def by_hand(some, name, width):
    found = {}
    for row in some:
        found.setdefault(row["step"] // width, []).append(row[name])
    return [(at * width, min(v), max(v), pytest.approx(sum(v) / len(v))) for at, v in sorted(found.items())]


def points(lines, name="d/loss"):
    line = lines.lines()[name]
    return list(zip(line.steps.tolist(), line.low.tolist(), line.high.tolist(), line.mean.tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 2, BUCKETS - 1, BUCKETS, BUCKETS + 1, 5000])
def test_each_stretch_has_its_smallest_largest_and_mean_value(tmp_path, count):
    some, path = rows(1, count + 1), tmp_path / "log.jsonl"
    written(path, some)
    lines = LogLines(path)
    assert lines.read() and lines.exact and lines.last == count
    assert points(lines) == by_hand(some, "d/loss", lines.width)
    assert len(points(lines)) <= BUCKETS and (count < BUCKETS or len(points(lines)) >= BUCKETS // 2)
    assert not lines.read()                                     # nothing was added


def test_what_is_added_is_read_from_where_reading_ended(tmp_path, monkeypatch):
    some, path = rows(1, 4000), tmp_path / "log.jsonl"
    lines, done = LogLines(path), 0
    for end in (1, 10, 11, 1500, 3999):
        written(path, some[done:end], "a")
        with open(path, "a") as file:                           # a line of which half is there
            file.write('{"step": 4000, "d/l')
        lines.read()
        with open(path, "rb+") as file:
            file.truncate(path.stat().st_size - len('{"step": 4000, "d/l'))
        done = end
        assert points(lines) == by_hand(some[:end], "d/loss", lines.width)


def test_a_long_log_is_first_read_in_places_and_then_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(log_lines, "SMALL", 2**12)
    monkeypatch.setattr(log_lines, "PLACES", 50)
    monkeypatch.setattr(log_lines, "PLACE", 300)
    some, path = rows(1, 30_000), tmp_path / "log.jsonl"
    written(path, some)
    lines = LogLines(path)
    lines.read(seconds=0)
    first = lines.lines()["d/loss"]
    assert not lines.exact and lines.last == some[-1]["step"] and 40 <= len(first.steps) <= 300
    more = rows(30_000, 31_000)
    written(path, more, "a")
    looks = 0
    while not lines.exact:
        lines.read(seconds=0.01)                                # on a busy machine perhaps not a line
        looks += 1
    assert looks > 1 and points(lines) == by_hand(some + more, "d/loss", lines.width)


def test_a_log_that_was_rewound_begins_anew(tmp_path):
    path = tmp_path / "log.jsonl"
    written(path, rows(1, 3000))
    lines = LogLines(path)
    lines.read()
    fewer = rows(1, 20)
    write_atomic(path, "".join(json.dumps(row) + "\n" for row in fewer))
    lines.read()
    assert lines.last == 19 and lines.width == 1 and points(lines) == by_hand(fewer, "d/loss", 1)
    path.unlink()
    assert not lines.read() and lines.lines() == {}


def test_lines_that_cannot_be_understood_are_left_out_and_memory_stays_small(tmp_path):
    path = tmp_path / "log.jsonl"
    good = rows(1, 50)
    bad = 'nonsense\n{"step": 1},{"step": 2}\n[1]\n{"step": "1", "d/loss": 9}\n'
    path.write_text("".join(f"{json.dumps(row)}\n{bad}" for row in good)
                    + '{"step": 60, "d/loss": NaN}\n{"step": 61, "d/loss": Infinity}\n{"step": -5, "d/loss": 99}\n'
                    + "".join(json.dumps({"step": 62, f"name {i}": 1.0}) + "\n" for i in range(1000)))
    lines = LogLines(path)
    lines.read()
    assert points(lines) == by_hand(good, "d/loss", 1) and lines.last == 62
    assert len(lines.lines()) <= log_lines.MOST_NAMES
    path.write_text(json.dumps({"step": 2**62, "d/loss": 1.0}) + "\n")
    lines.read()
    assert points(lines)[0][1:] == (1.0, 1.0, 1.0) and math.log2(lines.width) % 1 == 0


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "real.jsonl").write_text('{"step": 1, "a": 1}\n')
    (tmp_path / "log.jsonl").symlink_to(tmp_path / "real.jsonl")
    with pytest.raises(Foreign, match="is a link"):
        LogLines(tmp_path / "log.jsonl").read()
    assert not LogLines(tmp_path / "none.jsonl").read()
