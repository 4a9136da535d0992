"""What several test files use: a game small enough to play in milliseconds, and where the real data may lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from glances import glance, hurry
from sparring.data.builtin.moving import moving
from sparring.data.builtin.synthetic import Quadratic, mixture
from sparring.data.settings import ClipSettings
from sparring.data.source import Finite
from sparring.data.tables.mixed import TableRows
from sparring.data.text.lines import TextSettings, open_text
from sparring.data.translation.sets import TwoSets
from sparring.recipes import RECIPES
from sparring.spaces import Images, Table, TwoDomains, Vectors
from sparring.spaces.columns import Category, Constant, Number

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tests compare bits, and bits depend on the number of threads."""
    torch.set_num_threads(1)


def small_images(n: int = 40, labelled: bool = True) -> Finite:
    """n images of 8x8 in two classes, dark and bright."""
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 60, (n, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    values = (noise + 150 * labels[:, None, None, None]).to(torch.uint8)
    return Finite(Images(1, 8, 8, ("dark", "bright") if labelled else ()), values, labels if labelled else None)


def alike(a: NamedTuple, b: NamedTuple) -> bool:
    """Whether two batches are the same, part by part."""
    return all(x is y is None or torch.equal(x, y) for x, y in zip(a, b, strict=True))


def small_table(n: int = 64) -> Finite:
    rng = torch.Generator().manual_seed(1)
    return Finite(Vectors((0.0, 1.0, 2.0), (1.0, 2.0, 3.0)), torch.randn(n, 3, generator=rng))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that tests decode or index goes to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="module")
def glances(request: pytest.FixtureRequest) -> Iterator[None]:
    """Only the tests of pictures and of metrics look at runs as users do, and only those of what is written wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name not in ("pictures", "metrics"):
            glance(patch.setattr)
        if request.path.parent.name not in ("runs", "attack"):
            hurry(patch.setattr)
        yield


def small_pairs(n: int = 40, aligned: bool = True) -> TwoSets:
    """Pairs of a grey square and the same in colour, 16x16 cut out of 18x18; not aligned, two sets of n and n - 4 colour images."""
    rng = torch.Generator().manual_seed(2)
    a = 40 * torch.ones(n, 1, 18, 18, dtype=torch.uint8)
    for image, (top, left) in zip(a, torch.randint(2, 10, (n, 2), generator=rng).tolist(), strict=True):
        image[:, top:top + 6, left:left + 6] = 220
    b = torch.cat([a, 255 - a, torch.randint(90, 110, a.shape, generator=rng).to(torch.uint8)], 1)
    first = a if aligned else torch.cat([255 - a] * 3, 1)[4:]
    space = TwoDomains(Images(first.shape[1], 16, 16), Images(3, 16, 16), ("grey", "colour"), aligned)
    return TwoSets(Finite(Images(*first.shape[1:]), first), Finite(Images(3, 18, 18), b), space, flip=True)


def small_rows(n: int = 64) -> Finite:
    """n rows of a town, an age that is missing now and then, and what is the same in all of them."""
    mixture = (0.5, 0.5), (20.0, 60.0), (5.0, 8.0), (15.0, 30.0)
    space = Table((Category("town", ("a", "b", "c"), (n // 2, n // 4, n // 4), 3), Number("age", *mixture, (40.0,), 10.0, 90.0, missing=""),
                   Constant("same", "x"), Category("flag", ("yes", "no"), (n // 2, n // 2), 2)))
    k = torch.arange(n, dtype=torch.float64)
    town, age = (k % 4 - 1).clamp(min=0), torch.where(k % 8 == 7, torch.nan, 10 + (13 * k) % 80)
    return Finite(space, TableRows(space, *space.compact([town, age, 0 * k, k % 2])))


def small_lines(n: int = 48) -> Finite:
    """n lines of one to five words."""
    words = ["the", "a", "cat", "dog", "sees", "hears"]
    return open_text([" ".join(words[(k + 2 * place) % 6] for place in range(1 + k % 5)) for k in range(n)], TextSettings(held_out=0.1))


SOURCES = {"curves": Quadratic(), "density": mixture(), "table": small_table(), "images": small_images(), "pairs": small_pairs(),
           "unpaired": small_pairs(aligned=False), "clips": moving(ClipSettings(size="16"), train=4, held_out=2), "rows": small_rows(),
           "lines": small_lines()}
CELLS = [(recipe, source) for recipe in RECIPES for source in SOURCES
         if isinstance(SOURCES[source].space, RECIPES[recipe].reads.kinds)
         and (not isinstance(SOURCES[source], TwoSets) or SOURCES[source].space.aligned == (recipe == "pix2pix"))]


def pytest_configure() -> None:
    """Hypothesis fails an example that takes longer than 200 ms, which says something about the machine alone."""
    from hypothesis import settings  # here, since other processes import this file too, and it takes a second

    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
