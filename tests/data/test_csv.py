"""Tables of numbers are read as they are written, and what is not used is named."""

import re

import numpy as np
import pytest
import torch

import sparring
from made import refused
from shell import Shell
from sparring.cli.sample import labels_in_array, write_table
from sparring.data import open_source
from sparring.data.labels import table_of
from sparring.data.source import Finite
from sparring.evaluation import evaluate
from sparring.metrics.compared_sets import fewer_values
from sparring.spaces import Vectors, digits
from untrained import untrained


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


@pytest.mark.parametrize("name, text, shape, labels, said", [
    ("a.csv", "a,b\n1,2\n3,4\n", (2, 2), (), "columns: a, b"),
    ("a.csv", "1,2\n3,4\n5,7\n", (3, 2), (), "columns have no names"),
    ("a.tsv", "a\tb\n1\t2\n3\t5\n", (2, 2), (), "separated by tabs"),
    ("a.csv", "a;b\n1,5;2\n2,5;4\n", (2, 2), (), "separated by semicolons"),
    ("a.csv", "\ufeffa,b\r\n1,2\r\n\r\n3,4\r\n", (2, 2), (), "columns: a, b"),
    ("a.csv", "a,label\n1,x\n2,y\n3,x\n", (3, 1), ("x", "y"), r"2 classes in column label: x \(2\), y \(1\)"),
    ("a.csv", "a,label\n1,10\n2,9\n3,9\n", (3, 1), ("9", "10"), r"2 classes in column label: 9 \(2\), 10 \(1\)"),
    ("a.csv", "a,class\n1,True\n2,False\n", (2, 1), ("False", "True"), "classes in column class"),
    ("a.csv", "a,target\n1,.5\n2,.7\n", (2, 2), (), "columns: a, target"),
    ("a.csv", "a,town\n1,Rome\n2,Ulm\n3,Rome\n", (3, 1), (), r"1 column\(s\) that do not hold numbers throughout were left out: town"),
    ("a.csv", "a,yes\n1,yes\n2,no\n3,yes\n", (3, 2), (), "columns: a, yes"),
    ("a.csv", 'a,"b, c"\n"1","2"\n3,4\n', (2, 2), (), "columns: a, b, c"),
    ("a.csv", "a,label:warm,label:age\n1,0,30\n2,1,40\n3,1,50\n", (3, 1), ("warm=0 age=30", "warm=1 age=40", "warm=1 age=50"),
     "2 labels a sample: warm, age"),
    ("a.csv", "a;b\n1,5;2\n2,5;4\n", (2, 2), (), "commas in column a were read as decimal commas"),
    ("a.csv", "a,flag\n1,True\n2,False\n3,True\n", (3, 2), (), "true in column flag was read as 1"),
    ("a.csv", "a,label\n1,x\n2,\n3,x\n", (3, 1), (), "label is not read as classes, since 1 of its cells are empty"),
    ("a.csv", "a,Label\n1,3\n2,4\n3,3\n", (3, 2), (), "Label is not read as classes, since its name is not written label"),
    ("a.csv", "a,label,label:b\n1,x,0\n2,y,1\n3,x,1\n", (3, 1), ("b=0", "b=1"),
     "label is not read as classes, since there are columns named"),
    ("a.csv", "a,label\n1,0.5\n2,1.5\n3,.5\n", (3, 2), (), "numbers that are not whole"),
    ("a.csv", "a,label\n1,cat\n2,cat \n3,cat\n", (3, 1), ("cat", "cat "), "2 classes"),
    ("a.csv", "a,b\n24.108,1\n1.5,2\n", (2, 2), (), "columns: a, b"),
    ("a.csv", "a,b\n1,7\n2,7\n", (2, 2), (), r"1 of the columns never change \(b\)"),
    ("a.CSV", "x\n1e3\n-2E-3\n", (2, 1), (), "columns: x"),
])
def test_tables_are_read(tmp_path, name, text, shape, labels, said):
    (tmp_path / name).write_bytes(text.encode())
    source = open_source(tmp_path / name)
    assert tuple(source.values.shape) == shape and source.space.labels == labels
    assert any(re.search(said, note) for note in source.notes), source.notes


@pytest.mark.parametrize("text, message", [
    ("", "is empty"), ("a,b\n", "names and no rows"), ("a,b\n1\n", "line 2: 1 cells, and the first line has 2"),
    ("a,a\n1,2\n", "two columns named a"), ("a,\n1,2\n", "column 2 has no name"), ("a,b\n1,2\n3,\n5,6\n", "line 3: column b is empty"),
    ("a,b\n1,2\n3,n/a\n5,6\n", "line 3: column b says 'n/a'.*1 of 3"), ("a,b\n1,nan\n2,3\n3,4\n", "line 2: column b says 'nan'"),
    ("town\nRome\nUlm\n", "no column of numbers"), ("a,b\n1e39,1\n2,2\n", "too large for 32-bit"),
    ('a,b\n"24,108",1\n"3,250",2\n', "column a has numbers such as 24,108, in which the comma may stand before decimals or between"),
    ("a;b\n24.108;0,5\n3.250;1,5\n", "column a has numbers such as 24.108, in which the point may stand"),
    ("a\n1_3\n", "no column of numbers"),
    ("a,label:x\n1,much\n2,little\n", "label:x holds words"), (b"a,b\n\xff\xfe,2\n", "not text in UTF-8"),
    (b"a\n1\x00\n", "cannot be read|no column of numbers"),
])
def test_tables_that_cannot_be_learned_from_are_refused_with_the_line(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(message, open_source, path)


@pytest.mark.parametrize("mean, spread", [(1.7e9, 1000.0), (0.0, 1.0), (1e12, 100.0), (-3e5, 1e-2), (5.0, 1e6)])
def test_columns_with_a_large_mean_come_back_with_as_many_values(tmp_path, mean, spread):
    """Unix time, for one: float32 has steps of 128 there."""
    model = untrained("gan", Vectors((mean, 0.0), (spread, 1.0)))
    samples = model.sample(500)
    assert samples.dtype == torch.float64 and len(samples[:, 0].unique()) > 490
    write_table(model, samples, torch.zeros(500), tmp_path / "s.csv")
    again = np.loadtxt(tmp_path / "s.csv", delimiter=",", skiprows=1)
    assert len(np.unique(again[:, 0])) == len(samples[:, 0].unique())
    assert np.abs(again[:, 0] - samples[:, 0].numpy()).max() <= spread * 1e-6 + abs(mean) * 1e-15
    assert open_source(tmp_path / "s.csv").space.shift[0] == pytest.approx(float(samples[:, 0].mean()), rel=1e-12, abs=1e-6 * spread)


@pytest.mark.parametrize("shift, scale, count", [(0.0, 1.0, 9), (1.7e9, 1000.0, 16), (1e20, 1.0, 17), (5.0, 10.0, 9), (100.0, 1.0, 11)])
def test_so_many_digits_are_written(shift, scale, count):
    assert digits(shift, scale) == count


def test_several_labels_with_a_large_mean_are_written_whole():
    y = np.stack([1.7e9 + np.arange(100.0), np.arange(100) % 2], 1)
    source = open_source((np.random.default_rng(0).normal(size=(100, 2)), y))
    assert np.abs(np.array(table_of(source.space.traits, source.labels)) - y).max() < 0.01


def test_fewer_different_values_than_in_the_data_are_told():
    rng = np.random.default_rng(0)
    real = np.stack([1.7e9 + rng.uniform(0, 3600, 1000), rng.normal(size=1000)], 1)
    coarse = real.copy()
    coarse[:, 0] = coarse[:, 0] // 128 * 128
    found = evaluate(real=real, generated=coarse, metrics=["swd"])
    assert found["distinct"][0]["real"] > 0.99 and found["distinct"][0]["generated"] < 0.1
    assert any("column 0" in note and "of the real ones" in note for note in found["notes"])
    assert not fewer_values([{"column": 0, "real": 0.9, "generated": 0.6}])
    assert not any(note.startswith("column 0") for note in evaluate(real=real, generated=real + 1e-3, metrics=["swd"])["notes"])


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_what_is_sampled_is_read_back_with_its_classes(tmp_path, shell, form):
    source = open_source((np.random.default_rng(0).normal(size=(40, 2)), ["a"] * 30 + ["b"] * 10))
    untrained("gan", source.space, conditional=True).save(tmp_path / "model")
    told = shell("sample", tmp_path / "model", "-n", 40, "--out", tmp_path / f"s.{form}")
    assert told.code == 0 and "in the data they are a 75.0%, b 25.0%" in told.out and "--shares data" in told.out
    even = open_source(tmp_path / f"s.{form}")
    assert isinstance(even, Finite) and even.space.labels == ("a", "b") and even.space.shares == (0.5, 0.5)
    told = shell("sample", tmp_path / "model", "-n", 40, "--out", tmp_path / f"s.{form}", "--shares", "data")
    assert "mixed as in the data: a 75.0%, b 25.0%" in told.out
    assert open_source(tmp_path / f"s.{form}").space.shares == pytest.approx((0.75, 0.25), abs=0.03)
    assert "Did you mean" in shell("sample", tmp_path / "model", "--shares", "dat", "--out", tmp_path / f"s.{form}").err


def test_several_labels_are_read_back(tmp_path, shell):
    source = open_source((np.random.default_rng(0).normal(size=(40, 2)), np.stack([np.arange(40) % 2, np.arange(40.0)], 1)))
    model = untrained("gan", source.space, conditional=True)
    model.save(tmp_path / "model")
    for form in ("csv", "npz"):
        assert shell("sample", tmp_path / "model", "-n", 40, "--out", tmp_path / f"s.{form}").code == 0
        again = open_source(tmp_path / f"s.{form}")
        assert len(again.space.traits.names) == 2
        assert np.allclose(table_of(again.space.traits, again.labels), labels_in_array(model, model.labels_for(40)), atol=1e-4)
    assert sparring.load(tmp_path / "model").labels_for(3, positions=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("out, message", [
    ("full", "full is not empty: it holds 0.png.*Samples of two calls would be mixed.*new folder"), ("full/", "is not empty"),
    ("a.jpg", "'.jpg' is not a format.*FILE.npz"), ("run.v1", "'.v1' is not a format.*/ at its end"),
])
def test_samples_are_never_mixed_with_what_is_there(tmp_path, monkeypatch, shell, out, message):
    from sparring.spaces import Images
    monkeypatch.chdir(tmp_path)
    untrained("gan", Images(1, 8, 8)).save(tmp_path / "model")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "0.png").write_bytes(b"")
    told = shell("sample", "model", "-n", 3, "--out", out)
    assert told.code == 2 and re.search(message, told.err), told.err
    assert shell("sample", "model", "-n", 3, "--out", "results/run.v1/").code == 0
    assert len(list((tmp_path / "results" / "run.v1").glob("*.png"))) == 3


def test_columns_keep_their_names_and_are_compared_by_them(tmp_path, shell):
    (tmp_path / "real.csv").write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(60)))
    (tmp_path / "turned.csv").write_text("b,a\n" + "".join(f"{i % 7},{i}\n" for i in range(60)))
    source = open_source(tmp_path / "real.csv")
    untrained("gan", source.space).save(tmp_path / "model")
    assert shell("sample", tmp_path / "model", "-n", 5, "--out", tmp_path / "made.csv").code == 0
    assert (tmp_path / "made.csv").read_text().startswith("a,b\n") and open_source(tmp_path / "made.csv").space.columns == ("a", "b")
    refused("columns of the real set are a, b, and those of the generated one b, a. Put them into one order", evaluate,
            real=str(tmp_path / "real.csv"), generated=str(tmp_path / "turned.csv"))
