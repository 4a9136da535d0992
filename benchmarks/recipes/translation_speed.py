"""Rounds a second of the translators against the loops that a person would write with the same networks, in float32.

The loops are by the authors' order: pix2pix moves the discriminator and then the generator, which share one translation; CycleGAN moves
the generators and then, with a pool, the discriminators; StarGAN moves its discriminator five times and then the generator.  Each pair
runs alternately in one process: only the ratio within a pair means much.
"""

import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss, mse_loss

from benchmarks.record import record, spread
from sparring.api import Silent, run
from sparring.data.source import Finite
from sparring.data.translation.sets import Domains, TwoSets
from sparring.nets.patch import PatchDiscriminator
from sparring.nets.resnet_translator import ResNetTranslator
from sparring.nets.stargan import DomainDiscriminator, DomainGenerator
from sparring.nets.unet import UNet
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images, TwoDomains

PAIRS, SIZE = 3 if "--quick" in sys.argv else 7, 64
ROUNDS = {"pix2pix": 24, "cyclegan": 12, "stargan": 4}      # a run: a few seconds each
SPACE = Images(3, SIZE, SIZE)
STYLES, LABELS = Images(3, SIZE, SIZE, ("a", "b", "c", "d")), torch.arange(200) % 4
VALUES = torch.randint(0, 256, (2, 100, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def of(recipe: str) -> TwoSets | Domains:
    if recipe == "stargan":
        return Domains(Finite(STYLES, VALUES.flatten(0, 1), LABELS), STYLES)
    return TwoSets(Finite(SPACE, VALUES[0]), Finite(SPACE, VALUES[1]), TwoDomains(SPACE, SPACE, aligned=recipe == "pix2pix"))


def ours(recipe: str, batch: int) -> float:
    source = of(recipe)
    given = {"batch": batch, "width": 32, "threads": 1, "precision": "fp32", "steps": 1000, "log_every": 1}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request(recipe, source, given), Path(folder) / "run")
        plan = replace(prepared.plan, show_every=0, score_every=0, save_every=0, steps=ROUNDS[recipe])
        _, outcome = run(replace(prepared, plan=plan), Silent())
    return outcome.step / outcome.seconds


def drawn(half: int, batch: int) -> torch.Tensor:
    return VALUES[half][torch.randint(100, (batch,))].float() / 127.5 - 1


def adam(*nets: torch.nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam([p for net in nets for p in net.parameters()], 2e-4, betas=(0.5, 0.999), fused=True)


def frozen(nets: list[torch.nn.Module], yes: bool) -> None:
    for net in nets:
        for p in net.parameters():
            p.requires_grad = not yes


def by_hand_pix2pix(batch: int) -> float:
    G, D = UNet(3, 3, SIZE, SIZE, 32), PatchDiscriminator(6, 32, 16)
    opt_g, opt_d = adam(G), adam(D)
    start = time.perf_counter()
    for _ in range(ROUNDS["pix2pix"]):
        x, y = drawn(0, batch), drawn(1, batch)
        fake = G(x)
        frozen([D], False)
        opt_d.zero_grad()
        real_logits, fake_logits = D(torch.cat([x, y], 1)), D(torch.cat([x, fake.detach()], 1))
        ((binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
          + binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))) / 2).backward()
        opt_d.step()
        frozen([D], True)
        opt_g.zero_grad()
        logits = D(torch.cat([x, fake], 1))
        (binary_cross_entropy_with_logits(logits, torch.ones_like(logits)) + 100 * l1_loss(fake, y)).backward()
        opt_g.step()
    return ROUNDS["pix2pix"] / (time.perf_counter() - start)


def by_hand_cyclegan(batch: int) -> float:
    G, F = ResNetTranslator(3, 3, 32, 6), ResNetTranslator(3, 3, 32, 6)
    D_A, D_B = PatchDiscriminator(3, 32, 16), PatchDiscriminator(3, 32, 16)
    opt_g, opt_d = adam(G, F), adam(D_A, D_B)
    pools: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    start = time.perf_counter()
    for _ in range(ROUNDS["cyclegan"]):
        a, b = drawn(0, batch), drawn(1, batch)
        frozen([D_A, D_B], True)
        opt_g.zero_grad()
        fake_b, fake_a = G(a), F(b)
        on_a, on_b = D_A(fake_a), D_B(fake_b)
        (mse_loss(on_a, torch.ones_like(on_a)) + mse_loss(on_b, torch.ones_like(on_b)) + 10 * l1_loss(F(fake_b), a)
         + 10 * l1_loss(G(fake_a), b) + 5 * l1_loss(G(b), b) + 5 * l1_loss(F(a), a)).backward()
        opt_g.step()
        frozen([D_A, D_B], False)
        opt_d.zero_grad()
        for D, real, fake, pool in ((D_A, a, fake_a, pools[0]), (D_B, b, fake_b, pools[1])):
            old = fake.detach()
            if len(pool) < 50:
                pool.append(old)
            elif random.random() < 0.5:
                i = random.randrange(50)
                old, pool[i] = pool[i], old
            on_real, on_fake = D(real), D(old)
            ((mse_loss(on_real, torch.ones_like(on_real)) + mse_loss(on_fake, torch.zeros_like(on_fake))) / 2).backward()
        opt_d.step()
    return ROUNDS["cyclegan"] / (time.perf_counter() - start)


def by_hand_stargan(batch: int) -> float:
    G, D = DomainGenerator(3, 4, 32, 6), DomainDiscriminator(3, 4, SIZE, SIZE, 32)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 1e-4, betas=(0.5, 0.999), fused=True) for net in (G, D))
    start = time.perf_counter()
    for _ in range(ROUNDS["stargan"]):
        frozen([D], False)
        for _ in range(5):
            x, labels = styled(batch)
            with torch.no_grad():
                fake = G(x, torch.randint(4, (batch,)))
            (score, logits), (fake_score, _) = D(x), D(fake)
            between = torch.lerp(x, fake, torch.rand(batch, 1, 1, 1)).requires_grad_()
            slope, = torch.autograd.grad(D(between)[0].sum(), between, create_graph=True)
            opt_d.zero_grad()
            (fake_score.mean() - score.mean() + 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
             + cross_entropy(logits, labels)).backward()
            opt_d.step()
        frozen([D], True)
        opt_g.zero_grad()
        x, labels = styled(batch)
        wanted = torch.randint(4, (batch,))
        fake = G(x, wanted)
        score, logits = D(fake)
        (cross_entropy(logits, wanted) - score.mean() + 10 * l1_loss(G(fake, labels), x)).backward()
        opt_g.step()
    return ROUNDS["stargan"] / (time.perf_counter() - start)


def styled(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    index = torch.randint(len(LABELS), (batch,))
    return VALUES.flatten(0, 1)[index].float() / 127.5 - 1, LABELS[index]


def pairs(recipe: str, batch: int) -> dict[str, object]:
    theirs = {"pix2pix": by_hand_pix2pix, "cyclegan": by_hand_cyclegan, "stargan": by_hand_stargan}[recipe]
    torch.set_num_threads(1)
    theirs(batch)                                               # warm up
    rates = [(ours(recipe, batch), theirs(batch)) if i % 2 else (theirs(batch), ours(recipe, batch))[::-1] for i in range(PAIRS)]
    return {"sparring, steps/s": spread([a for a, _ in rates]), "by hand, steps/s": spread([b for _, b in rates]),
            "ratio": spread([a / b for a, b in rates]), "pairs": PAIRS}


if __name__ == "__main__":
    record("translation_speed", f"64x64 RGB, width 32, fp32, one thread, {ROUNDS} rounds a run, alternated; sparring is its whole trainer, "
           "logging each round.", {"ratio": "at least 0.95"},
           [("pix2pix, batch 4", lambda: pairs("pix2pix", 4)), ("cyclegan, batch 1", lambda: pairs("cyclegan", 1)),
            ("stargan, batch 4", lambda: pairs("stargan", 4))])
