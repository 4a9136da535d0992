"""Damaged checkpoints, pickles under every name, and folders that someone wrote who means harm: short versions of the long attacks."""

import ast
import json
import os
import struct
from pathlib import Path

import pytest
import torch
from benchmarks.chaos import damage, folders, pickles
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

import sparring
from sparring import untrusted
from sparring.errors import InputError
from sparring.runs import checkpoint
from sparring.runs import folder as run_folder
from sparring.untrusted import Form, Strange, layout, parse, read_file

SOURCES = sorted(Path(sparring.__file__).parent.rglob("*.py"))


# ------------------------------------------------------------------------------------------------------- the attacks
def test_damage_is_seen_told_and_passed_over(tmp_path):
    tally = damage.trials(100, tmp_path)
    assert tally.failures == []
    assert tally.tried == tally.held == 100
    assert {"flips", "cut", "deleted", "exchanged", "longer", "zeros"} <= tally.facts.keys()


def test_without_hashes_damage_would_be_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "read_folder", lambda path, limits: {name: (path / name).read_bytes() for name in limits})
    assert len(damage.trials(20, tmp_path).failures) > 10


@pytest.mark.chaos
def test_fifty_pickles_are_never_executed(tmp_path):
    tally = pickles.trials(50, tmp_path)
    assert tally.failures == []
    assert tally.held == 50
    assert tally.facts["refused"] == 50 * (6 + 2 * 8 + 2 + 2 * len(pickles.DATA))


def test_a_pickle_that_is_read_is_noticed(tmp_path, monkeypatch):
    import pickle

    monkeypatch.setattr(checkpoint, "read_tensors", lambda files, name: pickle.loads(files[name]))
    monkeypatch.setattr(checkpoint, "fit", lambda *given: None)
    assert len(pickles.trials(3, tmp_path).failures) == 3


@pytest.mark.parametrize("n", [60, pytest.param(150, marks=pytest.mark.chaos)])
def test_folders_of_strangers_are_loaded_as_they_are_or_refused(tmp_path, n):
    tally = folders.trials(n, tmp_path)
    assert tally.failures == []
    assert tally.facts["refused"] > n / 2 and tally.facts["accepted"] > n / 30 and tally.facts["went on"] > n / 50


def test_without_the_check_of_numbers_folders_would_be_taken_wrongly(tmp_path, monkeypatch):
    right = checkpoint.not_finite
    monkeypatch.setattr(checkpoint, "not_finite", lambda tensors: None)
    monkeypatch.setattr(checkpoint, "read_tensors", lambda files, name: load_tensors(files[name]))
    monkeypatch.setattr(folders.checkpoint, "not_finite", right)
    failures = folders.trials(16, tmp_path, seed=45).failures
    assert any("not finite" in failure for failure in failures)


# ----------------------------------------------------------------------------------------------- what is not there
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_that_executes_what_it_reads_is_imported_or_called(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
            [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        own = path.parent.name == "setup" and path.stem         # a person's own system, which only a person names: see below
        modules = {name.split(".")[0] for name in names if not (own == "own" and name == "importlib.metadata")}
        assert not modules & {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "runpy", "code", "importlib"}
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            forbidden = {"eval", "exec", "compile", "__import__", "load_pickle", "os.system"}
            assert called not in forbidden - ({"exec", "compile"} if own == "own_parts" else set())
            if called == "torch.load":          # of the files alone whose sha256 stands in the source
                assert path.stem == "pretrained" and "weights_only=True" in ast.unparse(node)
            if called in ("np.load", "numpy.load", "np.lib.format.read_array"):
                assert "allow_pickle=False" in ast.unparse(node), f"{path}: {ast.unparse(node)}"


def test_code_is_run_in_one_place_which_only_what_a_person_named_reaches():
    """`run_file` is called by `from_file` alone, that by `named` alone, and `named` and `outside` never with what a config.json holds."""
    for path in SOURCES:
        for function in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                called, given = ast.unparse(call.func), [ast.unparse(one) for one in call.args]
                place = (path.parent.name, path.stem, function.name)
                assert called != "exec" or place == ("setup", "own_parts", "run_file"), place
                assert called != "run_file" or place == ("setup", "own", "from_file"), place
                assert called not in ("from_file", "installed") or path.stem != "own" or place[2] == "named", place
                theirs = "from sparring.setup.own import" in path.read_text()       # other rooms have a `named` of their own
                assert not theirs or called not in ("named", "outside") or not any("config" in word for word in given), (place, given)


def test_there_is_something_to_search():
    assert len(SOURCES) > 60


# --------------------------------------------------------------------------------------------------- reading files
def test_only_regular_files_of_the_expected_size_are_read(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_file(file, 5) == b"12345"
    (tmp_path / "link").symlink_to(file)
    assert read_file(tmp_path / "link", 5) == b"12345"
    with pytest.raises(Strange, match="holds 5 bytes; what it should hold fits into 4"):
        read_file(file, 4)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in (".", "pipe", "zero"):
        with pytest.raises(Strange, match="is not a regular file"):
            read_file(tmp_path / name, 5)
    os.truncate(file, 50 << 30)
    with pytest.raises(Strange, match="holds 53,687,091,200 bytes"):
        read_file(file, 1 << 30)


@pytest.mark.parametrize("data, why", [
    (b"[" * 100_000, "nested too deep"), (b'{"a": 1, "a": 2}', "names a key twice"), (b'{"a": ', "cannot be read as JSON"),
    ("{}".encode("utf-16"), "cannot be read as JSON"), (b" " * (2**24 + 1), "far more than"),
    (b"[0" + b",0" * 1_000_000 + b"]", "far more than"), (b"9" * 5000, "cannot be read as JSON"),
], ids=["deep", "twice", "cut", "utf-16", "long", "many", "digits"])
def test_json_that_is_not_taken(data, why):
    with pytest.raises(Strange, match=why):
        parse(data)


def packed(header: object, body: bytes = bytes(24)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def of(dtype: object = "F32", shape: object = (2,), span: object = (0, 8), **more: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": span, **more}


REST = of(shape=[2, 2], span=[8, 24])


@pytest.mark.parametrize("data, why", [
    (b"", "no header"), (b"\xff" * 8, "no header"), (packed(b"[]"), "no JSON object"), (packed(b"[" * 9999), "nested too deep"),
    (packed({"a": of(), "b": 3}), "other things"), (packed({"a": of(code="x"), "b": REST}), "other things"),
    (packed({"a": of("F4"), "b": REST}), "unknown dtype"), (packed({"a": of(["F32"]), "b": REST}), "unknown dtype"),
    (packed({"a": of(shape=[-2]), "b": REST}), "impossible shape"), (packed({"a": of(shape=[2.0]), "b": REST}), "impossible shape"),
    (packed({"a": of(shape=[1] * 99), "b": REST}), "impossible shape"),
    (packed({"a": of(shape=[0, 2**62], span=[0, 0])}), "impossible shape"),
    (packed({"a": of(span=[0]), "b": REST}), "impossible shape"), (packed({"a": of(shape=[3]), "b": REST}), "do not fit its shape"),
    (packed({"a": of(), "b": of(shape=[2, 2], span=[4, 20])}), "overlap"), (packed({"a": of(), "b": REST}, bytes(32)), "overlap"),
    (packed({"a": of(), "b": REST}, bytes(16)), "overlap"), (packed({"b": REST}), "overlap"),
    (packed(b'{"a":' + json.dumps(of()).encode() + b',"a":' + json.dumps(REST).encode() + b"}"), "twice"),
], ids=str)
def test_safetensors_that_are_not_taken(data, why):
    with pytest.raises(Strange, match=why):
        layout(data)


def test_the_layout_of_what_is_written_here():
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.int64), "c": torch.zeros(0, 2, dtype=torch.bfloat16)}
    assert layout(save_tensors(tensors)) == {name: Form(t.dtype, tuple(t.shape)) for name, t in tensors.items()}


def test_values_in_messages_are_short_and_printable():
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    assert untrusted.brief(deep).startswith("[[[")
    assert untrusted.brief("x\x1b[31m\ud800") == "x?[31m?"
    assert len(untrusted.told("x" * 10**6, 100)) < 100
    lines = run_folder.differences({str(i): 0 for i in range(999)}, {"0": "y" * 9999})
    assert len(lines) == run_folder.MOST_DIFFERENCES + 1 and lines[-1] == "and more" and max(map(len, lines)) < 300


# --------------------------------------------------------------------------------------------------- writing files
def test_nothing_is_written_through_links(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    folder = tmp_path / "run"
    (folder / "checkpoint").mkdir(parents=True)
    for name in (".writing-log.jsonl", "log.jsonl", "checkpoint/.writing-000000001", "checkpoint/.replaced-000000001", ".writing-model"):
        (folder / name).symlink_to(precious)
    place = run_folder.RunFolder(folder)
    place.rewind(3)
    run_folder.append(place.log, {"step": 4})
    checkpoint.write_folder(folder / "checkpoint" / "000000001", {checkpoint.STATE: b"{}"})
    checkpoint.write_folder(folder / "model", {checkpoint.CONFIG: b"{}"})
    assert precious.read_text() == "years of work"
    assert place.log.read_text() == '{"step": 4}\n' and not place.log.is_symlink()
    for name in (".lock", "losses.png", "samples/000003.png"):
        (folder / "samples").mkdir(exist_ok=True)
        (folder / name).symlink_to(precious)
        with pytest.raises(InputError, match=rf"{name} is a link to a file. Runs do not make links. Remove it"):
            place.lock()
        (folder / name).unlink()
    (folder / ".writing-log.jsonl").unlink(missing_ok=True)
    (folder / ".writing-model").unlink(missing_ok=True)
    place.lock()
    place.unlock()
    assert precious.read_text() == "years of work"


def test_logs_of_strangers(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"step": 1, "a": 0.5}\n{"step": true}\n[3]\n' + b"[" * 99_999 +
                    b'\n{"step": 2, "a": "x"}\n\xff\n{"step": 3, "a": NaN}\n{"st')
    assert [row["step"] for row in run_folder.read_lines(log)] == [1, 3]
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(InputError, match="not a regular file"):
        run_folder.read_lines(log)
