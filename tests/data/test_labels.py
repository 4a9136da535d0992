"""Several labels at once, and measured ones: read, learned, asked for."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import sparring
from sparring.cli.app import commands
from sparring.data import open_source
from sparring.data.labels import odd, parse_table, read_rows, read_table, rows_for, table_of
from sparring.errors import InputError
from sparring.spaces import Images, from_json, to_json


def pictures(n=300):
    """8 x 8 pictures whose left half is as light as the first label says, and whose right half is light where the second is one."""
    rng = np.random.default_rng(0)
    light, right = rng.uniform(0, 1, n), rng.integers(0, 2, n)
    x = np.zeros((n, 8, 8), np.uint8)
    x[:, :, :4] = (230 * light)[:, None, None]
    x[:, :, 4:] = (230 * right)[:, None, None]
    return x, np.stack([10 + 5 * light, right], 1)


def test_measured_labels_are_standardized_and_those_of_zeros_and_ones_are_left():
    rows, traits = read_rows(np.array([[10.0, 0], [20, 1], [30, 1]]), ["age", "smiling"], "here")
    assert traits.names == ("age", "smiling")
    assert rows[:, 0].mean().abs() < 1e-6 and rows[:, 0].std(correction=0) == pytest.approx(1)
    assert rows[:, 1].tolist() == [0, 1, 1]
    assert table_of(traits, rows) == [[10, 0], [20, 1], [30, 1]]
    assert traits.in_words() == ("age=10 smiling=0", "age=20 smiling=1", "age=30 smiling=1")


def test_labels_are_asked_for_by_name_or_all_together():
    _, traits = read_rows(np.array([[10.0, 0], [20, 1], [30, 1]]), ["age", "smiling"], "here")
    assert table_of(traits, rows_for(traits, 4, {"smiling": 0})) == [[20, 0], [10, 0], [30, 0], [20, 0]]
    assert table_of(traits, rows_for(traits, 2, ["age=25", "smiling=yes"])) == [[25, 1], [25, 1]]
    assert table_of(traits, rows_for(traits, 3, [[12, 1], [14, 0]])) == [[12, 1], [14, 0], [12, 1]]


@pytest.mark.parametrize("asked", [{"agee": 1}, {"age": float("nan")}, {"age": "old"}, [], [[1, 2, 3]], "age", ["age=old"], 3, object()])
def test_labels_that_cannot_be_asked_for(asked):
    _, traits = read_rows(np.array([[10.0, 0], [20, 1]]), ["age", "smiling"], "here")
    with pytest.raises(InputError):
        rows_for(traits, 2, asked)


def test_the_space_travels_as_json():
    source = open_source(pictures())
    assert isinstance(source.space, Images) and source.space.traits is not None
    assert from_json(json.loads(json.dumps(to_json(source.space)))) == source.space
    broken = to_json(source.space)
    broken["traits"]["scale"] = [0.0, 1.0]
    with pytest.raises(InputError, match="do not fit together"):
        from_json(broken)


@pytest.mark.parametrize(("labels", "said"), [(np.ones((300, 2)), "Leave this column out"), (np.full((300, 1), np.nan), "missing"),
                                              (np.zeros((300, 0)), "expected 1 to"), (np.zeros((4, 1)), "4 labels"),
                                              (np.zeros((300, 2, 2)), "shape"), (np.array([["a"]] * 300), "text")])
def test_arrays_of_labels_that_cannot_be(labels, said):
    with pytest.raises(InputError, match=said):
        open_source((pictures()[0], labels))


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("file;x\na.png;1\n", "semicolons"),
                                            ("file,x,x\na.png,1,2\n", "two of one name"),
                                            ("file,x\na.png,1\nb.png,\n", "says nothing for x"),
                                            ("file,x\n./a.png, 1\nc.png,0\n", "for b.png .1 of 2.*it names a.png"),
                                            ("file\na.png\n", "one column"),
                                            ("file,x\na.png,1\n", "no row for b.png"),
                                            ("file,x\na.png,1\nb.png\n", "fields"), ("file,x\na.png,1\nb.png,blue\n", "'blue'"),
                                            ("file,x\na.png,1\nb.png,nan\n", "'nan'"), ("file,x\na.png,1\nb.png,1\n", "Leave this column"),
                                            ("a.png,1\nb.png,0\n", "names no labels"), ("file,x\na.png,1\na.png,0\n", "two rows")])
def test_tables_that_cannot_be(text, said):
    with pytest.raises(InputError, match=said):
        read_table(parse_table(text.encode(), "here"), ["a.png", "b.png"])


def test_a_table_is_found_where_all_images_are(tmp_path):
    """A folder that was packed whole lies in the archive under its name."""
    rows = "file, light\n./a.png, 1\nsub/b.png ,0\n"
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name, shade in (("top/a.png", 0), ("top/sub/b.png", 200)):
            stream = io.BytesIO()
            Image.new("L", (8, 8), shade).save(stream, "PNG")
            archive.writestr(name, stream.getvalue())
        archive.writestr("top/labels.csv", rows)
        archive.writestr("top/sub/labels.csv", "file,x\nb.png,1\n")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        archive.extractall(tmp_path / "folder")
    for path in (tmp_path / "set.zip", tmp_path / "folder"):
        source = open_source(path)
        assert source.space.traits.names == ("light",) and source.labels.tolist() == [[1.0], [0.0]]
        assert any("1 files that are not images were skipped" in note for note in source.notes)


@pytest.mark.parametrize(("asked", "said"), [(["light"], "given by name, such as light="), (["light=1", "light=2"], "twice"),
                                             ({"light": 900}, "light=900 is far outside the data"), ({"right": 3}, "yes or no")])
def test_why_labels_cannot_be_asked_for(asked, said):
    _, traits = read_rows(np.array([[10.0, 0], [14, 1], [12, 1]]), ["light", "right"], "x")
    with pytest.raises(InputError, match=said):
        rows_for(traits, 4, asked)


def test_from_a_folder_to_pictures_that_were_asked_for_and_back(tmp_path):
    x, labels = pictures()
    (tmp_path / "set").mkdir()
    with open(tmp_path / "set" / "labels.csv", "w", newline="") as table:
        csv.writer(table).writerows([["file", "light", "right"], *([f"{i}.png", *row] for i, row in enumerate(labels.tolist()))])
    for i, picture in enumerate(x):
        Image.fromarray(picture).save(tmp_path / "set" / f"{i}.png")
    given = dict(steps=200, width=8, latent=4, batch=32, threads=1, seed=0, lr=2e-3, ema=0.9)
    model = sparring.fit("gan", data=str(tmp_path / "set"), out=tmp_path / "run", **given)
    assert model.traits.names == ("light", "right")

    def mean(half, **asked):
        part = model.sample(24, labels=asked)[..., half].mean()
        return float(part)

    left, right = slice(0, 4), slice(4, 8)
    assert mean(right, right=1) > mean(right, right=0) + 0.8
    assert mean(left, light=14.5) > mean(left, light=10.5) + 0.5
    assert model.sample(3).shape == (3, 1, 8, 8)
    done = CliRunner().invoke(commands, ["sample", str(tmp_path / "run"), "-n", "5", "--label", "right=1,light=12", "--out",
                                         str(tmp_path / "made")])
    assert done.exit_code == 0, done.output
    again = (tmp_path / "made" / "labels.csv").read_text().splitlines()
    assert again[:2] == ["file,light,right", "000000.png,12.0,1.0"]


@pytest.mark.parametrize("recipe", ["r3gan", "wgan-gp", "vae"])
def test_every_recipe_with_classes_takes_them(recipe):
    x, labels = pictures(64)
    model = sparring.fit(recipe, data=(x.reshape(64, -1)[:, ::9].astype(np.float32), labels), steps=3, batch=16, width=8, threads=1)
    assert model.sample(4, labels=torch.tensor([[12.0, 1.0]])).shape == (4, 8)


def test_labels_that_may_not_mean_what_they_say_are_told():
    n = 40
    rows = np.stack([np.arange(n) % 2, np.where(np.arange(n) % 2, 1, -1), np.arange(n) % 5, np.linspace(0, 1, n), np.arange(n) == 3], 1)
    said = odd(*read_rows(rows, ["smiling", "male", "style", "age", "hat"], "table"))
    assert [line.split("'")[1] for line in said] == ["male", "style", "hat"]
    assert "either -1 or 1" in said[0] and "5 whole numbers" in said[1] and "all images but one" in said[2]
