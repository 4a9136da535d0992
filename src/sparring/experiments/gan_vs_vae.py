"""A GAN and a variational autoencoder with the same decoder, images, rounds and batch: who is sharper, and who covers more.

Sharpness is the variance of the Laplacian, which blur lowers first; noise would raise it, so closeness to the real images
counts, not size.  Precision and recall are taken in raw pixels, which suits small, centred images and no others.  On the digits
they do not favour blur: held-out images have 0.88 and 0.92, and 0.88 and 0.49 when blurred by a 3x3 mean.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparring.data import open_source
from sparring.data.source import Finite, batches
from sparring.errors import InputError
from sparring.experiments.cases import solve
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, by_name, figure, shown, unless_short
from sparring.game import Game, evaluate, play
from sparring.metrics.neighbours import precision_recall
from sparring.metrics.sharpness import sharpness
from sparring.metrics.sliced import sliced_wasserstein
from sparring.nets.autoencoder import Autoencoder
from sparring.pictures import style
from sparring.pictures.grids import image_grid
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.settings import make
from sparring.spaces import Images, to_uint8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "With the same decoder and budget, a GAN's samples are about as sharp as real images, and a VAE's are blurred."
SOURCE = "Larsen et al., 2016, section 4; Dosovitskiy and Brox, 2016; precision and recall: Kynkaanniemi et al., 2019"
CPU = torch.device("cpu")
BATCH, LATENT, SEED = 64, 32, 0
COMPARED = 2000                                                 # at most so many images of each kind
COLUMNS = 10
KINDS = {"real": style.REAL, "GAN": style.GENERATED, "VAE": style.JUDGE, "VAE, restored": style.THEORY}


def opened(data: str) -> Finite:
    """The images; InputError for other data."""
    source = open_source(data)
    if not (isinstance(source, Finite) and isinstance(source.space, Images)) or min(source.space.shape[1:]) < 3:
        raise InputError(f"'{data}' holds no images of at least 3x3 pixels; gan-vs-vae is about images. Leave --data out for the digits.")
    return source


def chosen(source: Finite) -> Tensor:
    """Which training images are compared: the same for every system."""
    return torch.randperm(len(source), generator=generator(SEED, "compared"))[:COMPARED]


def shots(source: Finite) -> Tensor:
    """Two rows of real images, a class a column where there are classes."""
    index = chosen(source)
    if source.labels is None:
        return index[:2 * COLUMNS]
    labels = source.labels[index]
    columns = [index[labels == y][:2] for y in range(min(COLUMNS, len(source.space.labels)))]
    return torch.stack([column for column in columns if len(column) == 2], 1).flatten()


def trained(recipe: str, data: str, rounds: int, width: int) -> dict[str, Any]:
    """Train with the recipe's own settings, but for what both share; what its samples are like, and some of them."""
    source, entry = opened(data), RECIPES[recipe]
    shared = {"steps": rounds, "batch": BATCH, "latent": LATENT, "width": width}
    settings = make(entry.settings, entry.defaults(source.space) | shared)
    torch.manual_seed(SEED)
    game = entry.game(settings, source.space, CPU)
    stream, started = batches(source, BATCH, SEED), time.process_time()
    for step in range(rounds):
        seed_round(SEED, CPU, step)
        play(game, stream, step)
    seconds = time.process_time() - started
    index = chosen(source)
    real, labels = source.at(index)
    made = sampled(game, labels, len(index), "samples")
    precision, recall = precision_recall(real, made)
    some = source.at(shots(source))
    found = {"seconds": seconds, "precision": precision, "recall": recall, "swd": sliced_wasserstein(made, real, SEED),
             "sharpness": sharpness(made).tolist(), "decoder": decoder_size(game),
             "shown": plain(sampled(game, some.labels, len(some.x), "shown"))}
    if recipe == "vae":
        found |= {"restored": plain(restored(game, some.x, some.labels)),
                  "restored sharpness": sharpness(restored(game, real, labels)).tolist()}
    return found


def decoder_size(game: Game) -> int:
    net = game.model.decoder if isinstance(game.model, Autoencoder) else game.model
    return sum(p.numel() for p in net.parameters())


def sampled(game: Game, labels: Tensor | None, n: int, stream: str) -> Tensor:
    """n images of the averaged networks, of these classes where there are any."""
    latents = game.prior(n, generator(SEED, stream))
    classes = labels.split(200) if labels is not None else [None] * -(-n // 200)
    return torch.cat([game.sample(z, y) for z, y in zip(latents.split(200), classes, strict=True)])


def restored(game: Game, x: Tensor, labels: Tensor | None) -> Tensor:
    """Decoded from the mean of the code of each image."""
    net = game.model
    assert isinstance(net, Autoencoder)
    given = () if labels is None else (labels,)
    return evaluate(net.decoder, evaluate(net.encoder, x, *given)[0], *given)


def plain(images: Tensor) -> list[Any]:
    return to_uint8(images).tolist()


def run(setting: Setting) -> Finding:
    """Both systems, then their samples beside real images."""
    data, rounds, width = setting.data or "digits", *((120, 16) if setting.quick else (1000, 32))
    source = opened(data)
    cases = {recipe: (recipe, data, rounds, width) for recipe in ("gan", "vae")}
    solved = solve(setting, trained, list(cases.values()))
    gan, vae = solved[cases["gan"]], solved[cases["vae"]]
    if gan["decoder"] != vae["decoder"]:
        raise AssertionError("the decoders differ")
    sharp = {"real": sharpness(source.at(chosen(source)).x), "GAN": torch.tensor(gan["sharpness"]),
             "VAE": torch.tensor(vae["sharpness"]), "VAE, restored": torch.tensor(vae["restored sharpness"])}
    ratio = {name: float(values.mean() / sharp["real"].mean()) for name, values in sharp.items()}
    rows = claims(ratio, gan, vae)
    budget = f"{rounds:,} rounds of {BATCH} images each"
    return Finding(rows, [
        Picture(beside(source, gan, vae, setting), f"Real images, what the VAE restores of them, and samples of both after {budget}."),
        Picture(style.save_figure(spread(sharp), setting.out / "sharpness.png"), "How sharp each image is (variance of its Laplacian).")])


GAN, VAE = "sharpness of GAN / of real", "sharpness of VAE / of real"
LEARNED = 0.5                       # precision from which samples count as images of the data: held-out digits have 0.88


def claims(ratio: dict[str, float], gan: dict[str, Any], vae: dict[str, Any]) -> list[Row]:
    """Sharpness over that of real images, and what it costs.  Of noise it says nothing, so both must draw images first."""
    source = "Larsen et al., 2016, section 4: the VAE's are blurred"
    young = [f"{name}'s precision is {figure(one['precision'])}" for name, one in (("the GAN", gan), ("the VAE", vae))
             if not one["precision"] >= LEARNED]
    why = f"samples do not lie among the data yet ({' and '.join(young)}; asked for: {LEARNED:g})" if young else ""
    rows = [at_least("sharpness of GAN / of VAE", ratio["GAN"] / ratio["VAE"], 1.1, source, "times"),
            at_most(VAE, ratio["VAE"], 0.9, source, "times"),
            at_most("sharpness of GAN over real or real over GAN, the larger", math.exp(off(ratio["GAN"])), 1.25, source, "times"),
            at_most("sharpness: |log GAN / real| over |log VAE / real|", off(ratio["GAN"]) / off(ratio["VAE"]), 1.0, source, "times")]
    rows = [unless_short(row, why) for row in rows]
    rows += [shown(name, ratio[kind], "times") for name, kind in ((GAN, "GAN"), ("sharpness of VAE, restored / of real", "VAE, restored"))]
    for key, title, unit in (("precision", "precision", "share of samples among the data"),
                             ("recall", "recall", "share of data among the samples"),
                             ("swd", "sliced Wasserstein distance", "pixel values, -1 to 1"), ("seconds", "processor time", "seconds")):
        rows += [shown(f"{title}, {kind}", one[key], unit) for kind, one in (("GAN", gan), ("VAE", vae))]
    return [*rows, shown("parameters of either decoder", gan["decoder"], "numbers")]


def headline(rows: Sequence[Row]) -> str:
    """Sharpness of both beside precision and recall: neither alone says who is better."""
    at = by_name(rows)

    def both(name: str) -> str:
        return f"{figure(at[f'{name}, GAN'].ours)} and {figure(at[f'{name}, VAE'].ours)}"

    return (f"The GAN's samples are {figure(at[GAN].ours)} times as sharp as real images (1 is equal, above it may be noise), the VAE's "
            f"{figure(at[VAE].ours)} times. The shares of samples that lie among the data are {both('precision')}, the shares of the data "
            f"that are covered {both('recall')}.")


def off(ratio: float) -> float:
    """How far a ratio is from 1 either way."""
    return abs(math.log(max(ratio, 1e-12)))


def beside(source: Finite, gan: dict[str, Any], vae: dict[str, Any], setting: Setting) -> Path:
    """Two rows of each kind, a class a column where there are classes."""
    real = source.at(shots(source)).x
    rows = [real, *(source.space.encode(torch.tensor(values, dtype=torch.uint8))
                    for values in (vae["restored"], gan["shown"], vae["shown"]))]
    names = tuple(name for name in ("real", "VAE, restored", "GAN", "VAE") for _ in range(2))
    return style.save_image(image_grid(torch.cat(rows), len(real) // 2, names), setting.out / "gan-vs-vae.png")


def spread(sharp: dict[str, Tensor]) -> "Figure":
    """The distribution of sharpness over images, on a logarithmic axis."""
    figure = style.new_figure(8.0, 4.6)
    axes = figure.add_subplot()
    style.dress(axes, "sharpness of an image (variance of the Laplacian, log)", "share of images")
    values = torch.cat(list(sharp.values())).clamp_min(1e-6)
    edges = torch.logspace(float(values.quantile(0.001).log10()), float(values.max().log10()), 46)
    for (name, each), dashes in zip(sharp.items(), (":", "-", "-", "--"), strict=True):
        axes.hist(each.clamp(edges[0], edges[-1]).numpy(), edges.tolist(), weights=[1 / len(each)] * len(each), histtype="step",
                  color=KINDS[name], linewidth=2.2, linestyle=dashes)
        axes.plot([], [], color=KINDS[name], linewidth=2.2, linestyle=dashes, label=f"{name}, mean {float(each.mean()):.3g}")
    axes.set_xscale("log")
    style.plain_log(axes.xaxis)
    style.legend_below(figure, axes, 2)
    return figure
