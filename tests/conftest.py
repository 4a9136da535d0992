"""What several test files use: a game small enough to play in milliseconds, and where the real data may lie."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sparring.data.source import Finite
from sparring.data.space import Images, Vectors
from sparring.data.synthetic import Quadratic, mixture

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


def small_table(n: int = 64) -> Finite:
    rng = torch.Generator().manual_seed(1)
    return Finite(Vectors((0.0, 1.0, 2.0), (1.0, 2.0, 3.0)), torch.randn(n, 3, generator=rng))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that tests decode or index goes to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


SOURCES = {"curves": Quadratic(), "density": mixture(), "table": small_table(), "images": small_images()}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
