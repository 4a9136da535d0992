"""Pairs, two sets and domains: how they are read, how they vary, and what is refused."""

from itertools import islice

import numpy as np
import pytest
import torch

from conftest import small_images, small_pairs
from made import folder, refused, saved, zipped
from sparring.data.builtin.scenes import LABELS, read_flat, read_rendered
from sparring.data.settings import DomainSettings, TranslationSettings
from sparring.data.source import batches
from sparring.data.translation.opening import open_domains, open_pairs, open_unpaired
from sparring.data.translation.sets import Domains, Variation
from sparring.errors import InputError
from sparring.spaces import from_json, to_json

PLAIN = TranslationSettings(size="16", flip=False, jitter=0)
RNG = np.random.default_rng(0)


def picture(shade, height=16, width=16):
    return saved(np.full((height, width, 3), shade, np.uint8))


def side_by_side(left, right):
    return saved(np.concatenate([np.full((16, 16, 3), left, np.uint8), np.full((16, 16, 3), right, np.uint8)], 1))


def shades(x):
    return ((x.mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()


def test_halves_of_a_picture_are_a_pair(tmp_path):
    data = folder(tmp_path / "data", {f"train/{i}.png": side_by_side(i, 100 + i) for i in range(5)}
                  | {f"test/{i}.png": side_by_side(50 + i, 150 + i) for i in range(3)})
    source = open_pairs(str(data), PLAIN)
    assert len(source) == 5 and source.space.names == ("A", "B") and source.space.a.shape == (3, 16, 16)
    batch = next(batches(source, 5, 0))
    assert [b - a for a, b in zip(shades(batch.a), shades(batch.b), strict=True)] == [100] * 5
    assert sorted(shades(source.examples(9, 0).a)) == [50, 51, 52]
    zipped(tmp_path / "data.zip", {f"x/train/{i}.png": side_by_side(i, 100 + i) for i in range(5)})
    assert open_pairs(tmp_path / "data.zip", PLAIN).a.fingerprint == source.a.fingerprint


def test_two_aligned_folders_inside_one_or_given_both(tmp_path):
    data = folder(tmp_path / "data", {f"{d}/{i}.png": picture(s + i) for d, s in (("labels", 0), ("photos", 100)) for i in range(4)})
    for given in (str(data), [str(data / "labels"), str(data / "photos")]):
        source = open_pairs(given, PLAIN)
        assert source.space.names == ("labels", "photos") and source.space.aligned
        batch = next(batches(source, 4, 0))
        assert [b - a for a, b in zip(shades(batch.a), shades(batch.b), strict=True)] == [100] * 4


def test_grey_becomes_colour(tmp_path):
    grey = saved(RNG.integers(0, 255, (16, 16), dtype=np.uint8))
    data = folder(tmp_path, {"grey/1.png": grey, "rgb/1.png": picture(3)})
    assert open_pairs(str(data), PLAIN).space.shape == (4, 16, 16)


def test_unpaired_parts_as_they_are_published(tmp_path):
    files = {f"{part}/{i}.png": picture(s + i) for part, s, n in (("trainA", 0, 5), ("trainB", 100, 7), ("testA", 50, 2), ("testB", 150, 3))
             for i in range(n)}
    source = open_unpaired(str(zipped(tmp_path / "set.zip", files)), PLAIN)
    assert (len(source.a), len(source.b), len(source)) == (5, 7, 5)
    assert [len(half) for half in source.held_out] == [2, 3]
    seen = {s for batch in islice(batches(source, 5, 0), 7) for s in shades(batch.b)}
    assert seen == set(range(100, 107))                         # the larger set is seen whole, too


def test_pairs_can_be_parted():
    source = open_unpaired(small_pairs(), PLAIN)
    assert not source.space.aligned
    assert source.fingerprint != small_pairs().fingerprint
    refused("Train cyclegan", open_pairs, small_pairs(aligned=False), PLAIN)


def test_both_halves_vary_alike_and_differently_in_every_round():
    source = small_pairs()
    first, second, *_ = islice(batches(source, 40, 0), 2)
    for batch in (first, second):                               # the grey square is where the first colour has it
        assert torch.equal(batch.a[:, 0], batch.b[:, 0])
    assert not torch.equal(first.a.sort(0).values, second.a.sort(0).values)
    rows = next(batches(source, 40, 0, rows=slice(10, 20)))
    assert torch.equal(rows.a, first.a[10:20]) and torch.equal(rows.b, first.b[10:20])


def test_crops_and_mirrors_are_all_drawn():
    places = Variation(4, 5, True).draw(2000, (6, 8), torch.Generator().manual_seed(0))
    assert [sorted(set(column.tolist())) for column in places.T] == [[0, 1, 2], [0, 1, 2, 3], [0, 1]]
    x = torch.arange(48, dtype=torch.uint8).view(1, 1, 6, 8)
    assert torch.equal(Variation(4, 5, True).apply(x, torch.tensor([[1, 2, 1]])), x[:, :, 1:5, 2:7].flip(-1))


def test_shapes_can_be_read_back():
    source = open_pairs("shapes", PLAIN)
    pair = source.examples(100, 0)
    truth = read_flat(pair.a)
    assert truth.unique().tolist() == list(range(len(LABELS)))
    assert (read_rendered(pair.b) == truth).double().mean() > 0.999


def test_domains_come_with_their_labels():
    source = open_domains("tints", DomainSettings())
    batch = next(batches(source, 30, 0))
    assert batch.x.shape == (30, 3, 32, 32) and set(batch.labels.tolist()) == {0, 1, 2}
    assert isinstance(open_domains(small_images(), DomainSettings()), Domains)


@pytest.mark.parametrize(("files", "message"), [
    ({"a/1.png": picture(1), "a/2.png": picture(1), "b/1.png": picture(1)},
     r"hold 2 and 1 images\. The first without a partner of the same name is a/2\.png"),
    ({"a/1.png": picture(1), "b/1.png": picture(1), "c/1.png": picture(1)}, "holds: a, b, c"),
    ({"1.png": saved(np.zeros((16, 31, 3), np.uint8))}, "1.png .* 31 wide and 16 high, so that its halves differ in size"),
    ({"a/1.png": picture(1), "b/1.png": b"no image"}, "1.png"),
    ({"notes.txt": b"nothing"}, "holds no images"),
    ({"1.png": picture(1, 8, 16), "2.png": picture(1, 8, 16), "3.png": picture(1)}, "3.png .*; a side-by-side pair must be twice as wide"),
    ({"1.png": picture(1, 8, 16), "2.png": picture(1), "3.png": picture(1)}, "one set of pictures, such as 2.png \\(16 wide, 16 high\\)"),
    ({"train/1.png": picture(1, 8, 16), "test/1.png": picture(1)}, "test/1.png .* 16 wide and 16 high; a side-by-side pair must be"),
    ({"A/1.png": picture(1), "A/1.jpg": picture(1), "B/1.png": picture(1), "B/1.jpg": picture(1)}, "have the same name"),
    ({"A/1.png": picture(1), "B/1.png": picture(1), "test/A/1.png": picture(1)}, "only the domain A has test images"),
    ({"A/1.png": picture(1), "B/1.png": picture(1), "stray.png": picture(1)}, "A, B, and beside them stray.png"),
])
def test_what_is_no_set_of_pairs_is_refused(tmp_path, files, message):
    refused(message, open_pairs, str(folder(tmp_path, files)), PLAIN)


def test_what_is_no_set_of_domains_is_refused(tmp_path):
    data = folder(tmp_path, {"one/1.png": picture(1), "two/1.png": picture(2)})
    (data / "empty").mkdir()
    refused("the domain empty .* holds no images", open_domains, str(data), DomainSettings())
    (data / "empty/notes.txt").write_text("nothing to see")
    refused("the domain empty .* holds no images", open_domains, str(data), DomainSettings())
    refused("no labels", open_domains, str(data / "one"), DomainSettings())
    stray = folder(tmp_path / "x", {"one/1.png": picture(1), "two/1.png": picture(2), "stray.png": picture(1)})
    refused("stray.png in .* is outside the domains' folders", open_domains, str(stray), DomainSettings())
    refused("is not a set of images .* one subfolder per domain", open_domains, "digits", DomainSettings())
    refused("no image to train on", open_domains, str(folder(tmp_path / "nothing", {"notes.txt": b"nothing"})), DomainSettings())
    refused("no labels", open_domains, small_images(labelled=False), DomainSettings())
    for opener in (open_pairs, open_unpaired):
        with pytest.raises(InputError, match="two domains"):
            opener(3, PLAIN)


def test_where_a_domain_lacks_test_images_none_are_held_out_and_that_is_said(tmp_path):
    whole = {"train/one/1.png": picture(1), "train/two/1.png": picture(2), "test/one/1.png": picture(3), "test/two/2.png": picture(4)}
    lacking = {name: data for name, data in whole.items() if name != "test/two/2.png"}
    both = (open_domains, DomainSettings(), "2 test images are held out"), (open_unpaired, PLAIN, "1 and 1 test images")
    for opener, settings, wanted in both:
        name = opener.__name__
        assert any(note.startswith(wanted) for note in opener(str(folder(tmp_path / name, whole)), settings).notes)
        source = opener(str(folder(tmp_path / f"{name}-lacking", lacking)), settings)
        assert source.held_out is None and any("one" in note and "of training images; a folder `test`" in note for note in source.notes)


def test_a_space_of_two_domains_survives_json():
    for source in (small_pairs(), small_pairs(aligned=False)):
        plain = to_json(source.space)
        assert from_json(plain) == source.space
    for wrong in ({"a": 3}, {"names": ["A", "A"]}, {"aligned": 1}, {"b": {**plain["b"], "height": 8}}):
        refused(".", from_json, plain | wrong)


# ------------------------------------------------------------------------------------- what is meant by what is given
def test_the_first_of_two_folders_is_a(tmp_path):
    data = folder(tmp_path, {f"{d}/{i}.png": picture(s + i) for d, s in (("photos", 100), ("labels", 0)) for i in range(3)})
    there, back = (open_pairs([str(data / a), str(data / b)], PLAIN) for a, b in (("photos", "labels"), ("labels", "photos")))
    assert (there.space.names, back.space.names) == (("photos", "labels"), ("labels", "photos"))
    assert "A is photos, B is labels" in there.notes and min(shades(there.examples(3, 0).a)) == 100
    assert open_pairs(str(data), PLAIN).space.names == ("labels", "photos")


def test_folders_of_one_name_are_called_by_where_they_differ(tmp_path, monkeypatch):
    data = folder(tmp_path, {f"{d}/train/{i}.png": picture(s + i) for d, s in (("horse", 0), ("zebra", 100)) for i in range(3)})
    source = open_unpaired([str(data / "horse/train"), str(data / "zebra/train")], PLAIN)
    assert source.space.names == ("horse", "zebra")
    refused("is given twice", open_unpaired, [str(data / "horse")] * 2, PLAIN)
    monkeypatch.chdir(data / "horse")
    assert open_unpaired([".", str(data / "zebra")], PLAIN).space.names == ("A", "B")
    (data / "empty").mkdir()
    refused("empty holds no images", open_unpaired, [str(data / "horse"), str(data / "empty")], PLAIN)


def test_one_set_is_not_taken_for_halves(tmp_path):
    """Only pictures twice as wide as high are pairs without a word; an empty domain leaves one set, too."""
    data = folder(tmp_path / "one", {f"{i}.png": picture(i) for i in range(3)})
    for opener in (open_pairs, open_unpaired):
        refused(r"one set of pictures, such as 0.png \(16 wide, 16 high\), and two sets are needed", opener, str(data), PLAIN)
    asked = PLAIN.model_copy(update={"halves": True, "size": "16x8"})
    assert open_pairs(str(data), asked).space.a.shape == (3, 16, 8)
    half = folder(tmp_path / "half", {f"trainB/{i}.png": picture(i) for i in range(3)})
    (half / "trainA").mkdir()
    refused("holds: B", open_unpaired, str(half), PLAIN)
    only_tested = folder(tmp_path / "tested", {"trainA/1.png": picture(1), "testA/1.png": picture(1), "testB/1.png": picture(1)})
    refused("with no images to train on in B", open_unpaired, str(only_tested), PLAIN)


def test_partners_of_another_shape_are_refused(tmp_path):
    files = {f"{d}/{i}.png": picture(i, 16, 16) for d in "AB" for i in range(3)}
    refused("2.png is 16 wide and 16 high in A, but 16 wide and 12 high in B", open_pairs,
            str(folder(tmp_path / "x", files | {"B/2.png": picture(1, 12, 16)})), PLAIN)
    larger = files | {"B/2.png": picture(1, 32, 32), "B/1.png": picture(1, 17, 16)}
    assert open_pairs(str(folder(tmp_path / "y", larger)), PLAIN).space.aligned     # of one shape, but for a pixel


def test_what_is_held_out_is_said(tmp_path):
    files = {f"{part}/{d}/{i}.png": picture(i) for part in ("train", "test") for d in "AB" for i in range(3)}
    told = open_pairs(str(folder(tmp_path / "x", files)), PLAIN).notes
    assert "3 and 3 test images are held out for pictures and scores" in told
    told = open_pairs(str(folder(tmp_path / "y", {name: data for name, data in files.items() if "train" in name})), PLAIN).notes
    assert any("no images are held out" in note for note in told)


def test_names_of_other_data_are_refused():
    refused("'quadratic' is not a set of images in several domains", open_pairs, "quadratic", PLAIN)
    refused("'digits' is not a set of images in several domains", open_domains, "digits", DomainSettings())
