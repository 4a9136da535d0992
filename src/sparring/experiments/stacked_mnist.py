"""Stacked MNIST (Metz et al., 2017; Lin et al., 2018): 1,000 modes that can be counted, and who finds them all."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sparring import api
from sparring.data import open_source
from sparring.data.builtin.stacked_digits import Stacked
from sparring.data.source import Finite
from sparring.errors import InputError, RunFailed
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, by_name, figure, on_its_way, shown
from sparring.metrics.classifier import Reader, accuracy, stacked_modes, train_reader
from sparring.metrics.run_scores import draw
from sparring.pictures import style
from sparring.pictures.grids import image_grid
from sparring.progress import Line
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images

CLAIM = "Packing, and the relativistic loss with R1 and R2, find all of the 1,000 modes of stacked digits."
SOURCE = "Lin et al., 2018, section 4.2; Huang et al., 2024, section 3"
SAMPLES, FEWER = 26_000, 4000                                   # in full, and in a quick run
FULL, QUICK, BUNDLED = 12_000, 100, 4_000                       # rounds: on MNIST, quickly, and on the small bundled digits
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "r3gan": ("r3gan", {}),
    "packed": ("gan", {"pack": 2}),
    "dcgan": ("gan", {}),
}
READ, MODES, KL = "the classifier: accuracy on held-out digits", "modes", "KL to uniform"      # names of rows
COMMON = {"batch": 64, "latent": 32, "width": 24}
PUBLISHED = {"r3gan": "Huang et al., 2024, table 1: 1000 modes, KL 0.078", "packed": "Lin et al., 2018, table 3: 1000 modes, KL 0.06",
             "dcgan": "Lin et al., 2018, table 3: 78.9 modes, KL 4.50"}


def run(setting: Setting) -> Finding:
    """On the images in setting.data (MNIST, for the published figures), or on the small digits that come with the project.

    Every training is a run folder, which a second call resumes; the full one on MNIST takes hours on two cores.
    """
    digits = open_source(setting.data or "digits")
    if not isinstance(digits, Finite) or not isinstance(digits.space, Images) or digits.space.channels != 1 or \
            len(digits.space.labels) != 10:
        raise InputError(f"{setting.data}: stacked digits need labelled grey images of ten classes, such as MNIST's IDX files.")
    rounds = QUICK if setting.quick else FULL if setting.data else BUNDLED
    reader, read = reader_for(digits, setting)
    rows: list[Row] = [at_least(READ, read, 0.95 if setting.quick or not setting.data else 0.985,
                                "Lin et al., 2018: 0.9925", "share of digits")]
    truth = Stacked(digits)
    count = FEWER if setting.quick else SAMPLES
    real = truth.space.encode(truth.draw(count, torch.Generator().manual_seed(0)))
    floor = stacked_modes(reader, real, 10)
    rows += [shown(f"real data: {MODES}", floor["modes"], "modes of 1,000"),
             at_most(f"real data: {KL}", floor["reverse_kl"], 0.04 if count == SAMPLES else 0.2,
                     f"sampling floor {999 / 2 / count:.4f} for {count:,} samples", "nats")]
    shots = {"real": real[:48]}
    for name in ("r3gan", "dcgan") if setting.quick else METHODS:
        found, shots[name] = measured(name, truth, rounds, reader, setting)
        rows += claims(name, found, setting)
        setting.tell(f"  {name}: {found['modes']:.0f} modes of 1,000, KL to uniform {found['reverse_kl']:.3f} nats")
    return Finding(rows, pictures(shots, setting))


def reader_for(digits: Finite, setting: Setting) -> tuple[Reader, float]:
    """The classifier, trained once and kept, and its accuracy on digits that it never saw."""
    path = setting.out / f"reader-{digits.fingerprint[:16]}{'-quick' if setting.quick else ''}.safetensors"
    if path.exists():
        assert isinstance(digits.space, Images)
        net = Reader(digits.space, 10)
        net.load_state_dict(load_file(path))
        net.eval()
    else:
        setting.tell("  training the classifier")
        net = train_reader(digits, 250 if setting.quick else 2500 if setting.data else 600, seed=0)
        setting.out.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)     # a file has no channels_last
    return net, accuracy(net, digits.held_out or digits)


def measured(name: str, truth: Stacked, rounds: int, reader: Reader, setting: Setting) -> tuple[dict[str, float], torch.Tensor]:
    """Train in a run folder (or find it finished), draw samples, and count; with the first 48 samples."""
    recipe, more = METHODS[name]
    given = COMMON | more | {"steps": rounds, "threads": 1, "score_every": 10**9, "show_every": max(1, rounds // 4),
                             "save_every": max(1, rounds // 40)}
    prepared = prepare(Request(recipe, truth, given), setting.out / name)
    unasked = replace(prepared, plan=replace(prepared.plan, check_every=0))          # the claim is judged here, and not by the doctor
    model, outcome = api.run(unasked, Line(name))
    if not outcome.finished(prepared.plan):
        raise RunFailed(f"stopped {name} after {outcome.step:,} of {rounds:,} rounds and saved; run the same command to continue.")
    samples, _ = draw(model.game, truth, FEWER if setting.quick else SAMPLES, 0)
    found = stacked_modes(reader, samples, 10) | {"seconds": outcome.seconds, "rounds": float(outcome.step)}
    return found, samples[:48]


def claims(name: str, found: dict[str, float], setting: Setting) -> list[Row]:
    """What was published, of which a quick run is too short to show much; the plain GAN's figures are shown, since architecture
    decides them."""
    modes, kl, source = f"{name}: {MODES}", f"{name}: {KL}", PUBLISHED[name]
    if name == "dcgan":
        return [shown(modes, found["modes"], "modes of 1,000", source), shown(kl, found["reverse_kl"], "nats", source)]
    return [on_its_way(at_least(modes, found["modes"], 1000, source, "modes of 1,000"), 100, setting.quick),
            on_its_way(at_most(kl, found["reverse_kl"], 0.08, source, "nats"), 7.0, setting.quick)]     # log 1,000 = 6.9 is one mode


def headline(rows: Sequence[Row]) -> str:
    """Modes and KL of each system beside those of as many real images."""
    at = by_name(rows)
    systems = [row.name.removesuffix(f": {MODES}") for row in rows if row.name.endswith(f": {MODES}")]
    each = [f"{name} {figure(at[f'{name}: {MODES}'].ours)} modes at a KL of {figure(at[f'{name}: {KL}'].ours)} nats" for name in systems]
    return (f"Of 1,000 modes, read by a classifier with an accuracy of {figure(at[READ].ours)}: {'; '.join(each)}. A KL of 0 is even "
            "shares, and even real images miss it by chance.")


def pictures(shots: dict[str, torch.Tensor], setting: Setting) -> list[Picture]:
    """A grid of samples each."""
    result = []
    for name, images in shots.items():
        path = style.save_image(image_grid(images, 12), setting.out / f"stacked-{name}.png")
        result.append(Picture(path, f"Stacked digits, {name}: three digits in red, green and blue."))
    return result
