"""Every picture is drawn, whole, legible in size, and not felt by the run; the report is one safe HTML file."""

import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data.builtin.synthetic import Quadratic, gaussian, mixture, ring
from sparring.data.source import Finite, Source
from sparring.errors import InputError
from sparring.game import Game, Player, Turn
from sparring.pictures import grids, log_charts
from sparring.pictures.log_charts import LOSS, SHARE, WATCHED, loss_curves, score_curves, towers
from sparring.pictures.samples import draw_samples
from sparring.pictures.snapshot import snapshot
from sparring.pictures.strips import chosen, filmstrip, interpolation
from sparring.report.page import Section, page, write_page
from sparring.spaces import Curves, Images, Space, Vectors

LATENT = 4


class Net(nn.Module):
    """One linear layer with dropout, so that modes and random numbers matter, on a sample and its class."""

    def __init__(self, given: int, out: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.out, self.classes = out, classes
        self.layer = nn.Linear(given + classes, math.prod(out))
        self.drop, self.norm = nn.Dropout(0.5), nn.BatchNorm1d(math.prod(out))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = x.flatten(1)
        if self.classes:
            assert labels is not None
            assert len(labels) == len(x)
            x = torch.cat([x, nn.functional.one_hot(labels, self.classes).float()], 1)
        made: Tensor = self.norm(self.drop(self.layer(x)))
        return made.view(-1, *self.out)


def tiny(space: Space, *, latent: int = LATENT, judged: bool = True) -> Game:
    torch.manual_seed(0)
    given, classes = math.prod(space.shape), len(space.labels)
    g, d = Net(latent, space.shape, classes), Net(given, (1,), classes)
    players = {"generator": Player(g, Adam(g.parameters()), ema=0.9), "discriminator": Player(d, Adam(d.parameters()))}

    def sample(latents: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        made: Tensor = (g if live else players["generator"].average)(latents, labels)
        return made + 1e-3 * torch.randn(made.shape)                # a network that draws noise of its own

    turns: dict[str, Turn] = {}
    judge: Callable[..., Tensor] | None = (lambda x, labels=None: d(x, labels).flatten()) if judged else None
    return Game(players, turns, players["generator"].average,
                lambda n, rng: torch.randn(n, latent, generator=rng), sample, judge)


def images(channels: int, size: int = 6, labels: tuple[str, ...] = ()) -> Finite:
    values = torch.randint(0, 256, (40, channels, size, size), dtype=torch.uint8, generator=torch.manual_seed(1))
    return Finite(Images(channels, size, size, labels), values, torch.arange(40) % len(labels) if labels else None)


def vectors(columns: int) -> Finite:
    values = torch.randn(60, columns, generator=torch.manual_seed(1))
    return Finite(Vectors((1.0,) * columns, (2.0,) * columns), values)


SOURCES: dict[str, Source] = {
    "quadratic": Quadratic(), "gaussian": gaussian(), "mixture": mixture(), "ring": ring(),
    "curves": Finite(Curves((0.0, 0.5, 2.0)), torch.randn(50, 3, generator=torch.manual_seed(1))),
    "grey": images(1), "classes": images(3, labels=("a", "b", "a name that is far too long")), "alpha": images(4),
    "one column": vectors(1), "two columns": vectors(2), "ten columns": vectors(10),
}


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        return picture.size


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_is_drawn_and_nothing_is_felt(name: str, tmp_path: Path) -> None:
    source, game = SOURCES[name], tiny(SOURCES[name].space)
    dropout = next(m for m in game.players["generator"].net.modules() if isinstance(m, nn.Dropout))
    dropout.eval()                                                  # a mode set by hand must survive too
    nets = [net for player in game.players.values() for net in (player.net, player.average)]
    before = [{key: value.clone() for key, value in net.state_dict().items()} for net in nets]
    modes = [module.training for net in nets for module in net.modules()]
    state, numpy_state = torch.get_rng_state(), str(np.random.get_state())
    path = snapshot(game, source, tmp_path / "samples", 20, seed=3)
    assert path.name == "000020.png"
    assert [p.name for p in path.parent.iterdir()] == ["000020.png"]
    assert all(100 <= side <= 1100 for side in size(path))
    assert torch.equal(torch.get_rng_state(), state)
    assert str(np.random.get_state()) == numpy_state
    assert [module.training for net in nets for module in net.modules()] == modes
    for net, weights in zip(nets, before, strict=True):
        assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("name", ["mixture", "classes"])
def test_the_latents_are_the_same_every_time(name: str, tmp_path: Path) -> None:
    game = tiny(SOURCES[name].space)
    first, second = (snapshot(game, SOURCES[name], tmp_path / part, 20, seed=3) for part in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["quadratic", "gaussian", "ring", "one column"])
def test_a_game_without_a_discriminator_is_drawn(name: str, tmp_path: Path) -> None:
    assert snapshot(tiny(SOURCES[name].space, latent=1, judged=False), SOURCES[name], tmp_path, 0, 0).exists()


@pytest.mark.parametrize("name", SOURCES)
def test_samples_and_interpolation_need_no_data(name: str, tmp_path: Path) -> None:
    space = SOURCES[name].space
    few = 1 if name in ("quadratic", "grey", "one column") else 20
    assert min(size(draw_samples(space, torch.zeros(few, *space.shape), tmp_path / "drawn.png"))) >= 40
    assert min(size(interpolation(tiny(space), space, tmp_path / "way.png", 0, columns=5, rows=2))) >= 90


def test_grids_are_pixel_exact() -> None:
    picture = torch.tensor([[[-1.0, 1.0], [0.0, -1.0]]])
    pixels = grids.opaque(picture, 3)
    assert pixels.shape == (6, 6, 3)
    assert (pixels[:3, :3] == 0).all()
    assert (pixels[:3, 3:] == 255).all()
    assert (pixels[3:, :3] == 128).all()
    clear = torch.full((4, 2, 2), -1.0)
    assert set(np.unique(grids.opaque(clear, 8))) == {grids.PALE, grids.PALER}       # only the checkerboard
    assert len(grids.by_class(tuple("abcdefghijklm"), 10)) == 100                    # ten classes at most


def test_names_over_a_grid_move_its_images_down_and_no_name_is_wider_than_its_column() -> None:
    images = torch.full((2, 1, 8, 8), -1.0)
    named = ("short", "a name of forty letters that goes on and on")
    plain, headed = (np.asarray(grids.image_grid(images, 2, heads=heads)) for heads in ((), named))
    assert headed.shape[0] == plain.shape[0] + grids.HEAD
    assert np.array_equal(headed[grids.HEAD + grids.GAP:], plain[grids.GAP:])
    words = (headed[:grids.HEAD + grids.GAP - 1] < 128).any((0, 2))
    wide = plain.shape[1] // 2
    assert words[:wide].any() and words[wide:].any() and not words[wide:wide + 3].any() and not words[-3:].any()


@pytest.mark.parametrize(("lines", "expected"), [
    (([30.0, 35.0], [1.7, 1.9], [0.3, 0.4]), True), (([30.0, 35.0], [3.5, 3.9]), False), (([30.0, 35.0], [1.0, -1.0]), False),
    (([30.0, 35.0], [0.0, 0.0]), False), (([5.0],), False)])
def test_a_loss_far_above_the_others_asks_for_a_logarithmic_axis(lines: tuple[list[float], ...], expected: bool) -> None:
    assert towers([np.array(line) for line in lines]) is expected


def test_filmstrip_takes_first_and_last_and_grows(tmp_path: Path) -> None:
    steps = list(range(0, 1010, 10))
    picked = chosen(steps, 6)
    assert len(picked) == 6
    assert picked[0] == 0
    assert picked[-1] == 1000
    assert picked == sorted(set(picked))
    assert np.all(np.diff(np.diff(picked)) > 0)
    assert chosen([0, 5, 9], 6) == [0, 5, 9]
    assert chosen(steps, 2) == [0, 1000]
    for count in range(4, 12):
        for most in range(3, count + 1):
            some = chosen(list(range(count)), most)
            assert len(set(some)) == most
            assert some[0] == 0
            assert some[-1] == count - 1
    for step in (0, 10, 1_000_000):
        Image.new("RGB", (900, 300), "white").save(tmp_path / f"{step:06d}.png")
    (tmp_path / ".writing-000020.png").write_bytes(b"half a picture")
    width, height = size(filmstrip(tmp_path, tmp_path / "film.png"))
    assert 3 * 520 < width < 3 * 560
    assert height < 300
    with pytest.raises(InputError, match="no pictures"):
        filmstrip(tmp_path / "nowhere", tmp_path / "film.png")


def row(step: int) -> dict[str, float]:
    return {"step": step, "time": 0.1 * step, "discriminator/adversarial": 1.3, "generator/adversarial": 0.7,
            "discriminator/D(x)": 0.6, "discriminator/D(G(z))": 0.4, "discriminator/accuracy": 0.55}


@pytest.mark.parametrize("rows", [
    [row(1)], [row(1), row(10)], [row(s) for s in range(1, 400)], [{"step": 1, "time": 0.0}, row(10)],
    [{"step": s, "critic/adversarial": -40.0 * s, "critic/gradient_penalty": 1e4, "critic/D(x)": -3.0} for s in (1, 2)],
    [{"step": 1, "generator/adversarial": math.nan}, {"step": 2, "generator/adversarial": 0.5}],
    [{"step": 1, "discriminator/accuracy": 0.5}], [{"step": 1, "vae/elbo": -3.0}],
], ids=["one row", "two", "many", "a missing key", "a critic", "not finite", "only watched", "only another watched"])
def test_loss_curves_cope(rows: list[dict[str, float]], tmp_path: Path) -> None:
    assert size(loss_curves(rows, tmp_path / "loss.png"))[0] == 800


@pytest.mark.parametrize(("name", "values", "panel"), [
    ("discriminator/adversarial", [1.38, 1.2], LOSS), ("discriminator/adversarial", [0.4, 0.5], LOSS), ("generator/l1", [0.2], LOSS),
    ("discriminator/gradient_penalty", [0.1], LOSS), ("generator/classification", [0.1], LOSS), ("autoencoder/kl", [3.0], LOSS),
    ("discriminator/D(x)", [0.5], SHARE), ("discriminator/D(G(z))", [0.0, 1.0], SHARE), ("discriminator/accuracy", [0.885], SHARE),
    ("discriminator/augmented", [0.1], SHARE), ("critic/D(x)", [-3.0], WATCHED), ("critic/score(x)", [-40.0, 2.0], WATCHED),
    ("critic/score(G(z))", [0.5, 0.6], WATCHED), ("autoencoder/elbo", [-120.0], WATCHED), ("autoencoder/elbo", [0.5], WATCHED),
    ("discriminator/compilations", [1.0], WATCHED),
])
def test_what_is_only_watched_is_not_drawn_as_a_loss(name: str, values: list[float], panel: str) -> None:
    line = np.arange(float(len(values))), np.array(values)
    assert log_charts.panels_of({name: line}) == {panel: {name: line}}


def test_an_empty_log_is_told(tmp_path: Path) -> None:
    for rows in ([], [{"step": 1, "time": 0.0}]):
        with pytest.raises(InputError, match="no losses"):
            loss_curves(rows, tmp_path / "loss.png")


def test_long_logs_are_thinned_and_keep_their_peaks() -> None:
    steps, values = np.arange(300_000.0), np.zeros(300_000)
    values[123_456], values[200_001] = 7.0, -7.0
    thin_steps, thin_values = log_charts.thin((steps, values))
    assert len(thin_steps) <= log_charts.MOST
    assert thin_values.max() == 7.0
    assert thin_values.min() == -7.0
    assert (np.diff(thin_steps) > 0).all()
    median_steps, medians = log_charts.running_median((steps, values))
    assert len(medians) <= 400
    assert not medians.any()
    assert median_steps[-1] == steps[-1]


def test_score_curves_need_two_rows(tmp_path: Path) -> None:
    path = tmp_path / "scores.png"
    assert score_curves([], path) is None
    assert score_curves([{"step": 5, "jsd": 0.1}], path) is None
    assert not path.exists()
    rows = [{"step": s, "jsd": 1 / s, "modes": 8.0, "ks": 0.1, "late": 1.0 if s > 1 else math.nan} for s in (1, 2, 3)]
    assert score_curves(rows, path) == path
    assert size(path)[0] == 800


class Reader(HTMLParser):
    """Fails when a tag is not closed in order; keeps tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_report_is_one_safe_file(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "white").save(picture)
    evil = '<script>alert("x")</script>'
    rows = [("jsd", "0.012"), (evil, "8 of 8")]
    section = Section(evil, [evil, "a & b"], ("score", evil), rows, [(picture, f'"{evil}')])
    path = write_page(tmp_path / "report.html", evil, [section, Section("empty")])
    text = path.read_text(encoding="utf-8")
    assert text == page(evil, [section, Section("empty")])
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert text.startswith("<!DOCTYPE html>")
    assert not reader.open
    assert "http" not in text
    assert "<script" not in text
    assert evil in reader.words
    assert "url(" not in text
    pictures = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert [p["alt"] for p in pictures] == [f'"{evil}']
    assert (pictures[0]["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert ("td", {"class": "number"}) in reader.tags
