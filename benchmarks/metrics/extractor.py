"""Train the features that are shipped with the package, on MNIST and Fashion-MNIST together, and say how well they tell both apart.

Writes src/sparring/metrics/grey28-v1.safetensors, whose sha256 goes into metrics/grey28.py.  `--out FILE` writes elsewhere.
"""

import hashlib
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save

from benchmarks.record import DATA, record
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.metrics.classifier import accuracy, train_classifier
from sparring.metrics.grey28 import FILE, Grey28, read_weights
from sparring.progress import Line
from sparring.spaces import Images

SETS = ("mnist", "fashion-mnist")
EPOCHS, BATCH, LR, SEED = 6, 256, 3e-3, 0


def both(part: str) -> list[Finite]:
    """The train or test parts, with classes 0 to 9 and 10 to 19 of twenty."""
    space, found = Images(1, 28, 28, tuple(map(str, range(20)))), []
    for k, name in enumerate(SETS):
        source = open_source(DATA / name)
        source = source if part == "train" else source.held_out
        found.append(Finite(space, source.values, source.labels + 10 * k))
    return found


def case(out: Path) -> dict[str, object]:
    torch.set_num_threads(1)
    parts, line, began = both("train"), Line("extractor"), time.perf_counter()
    source = Finite(parts[0].space, torch.cat([p.values for p in parts]), torch.cat([p.labels for p in parts]))
    net = train_classifier(lambda: Grey28().to(memory_format=torch.channels_last), source, EPOCHS * len(source) // BATCH, SEED, batch=BATCH,
                           lr=LR, low=True, watch=lambda done, rounds: line.update(done, rounds, {}))
    half = {name: tensor.half().contiguous() if tensor.is_floating_point() else tensor for name, tensor in net.state_dict().items()}
    data = save(half)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    shipped = read_weights(out, digest)
    full, kept = ([accuracy(n, part) for part in both("test")] for n in (net, shipped))
    return {"sha256": digest, "bytes": len(data), "parameters": sum(p.numel() for p in net.parameters()),
            "accuracy, MNIST": kept[0], "accuracy, Fashion-MNIST": kept[1], "accuracy in float32, MNIST": full[0],
            "accuracy in float32, Fashion-MNIST": full[1], "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    out = Path(sys.argv[sys.argv.index("--out") + 1]) if "--out" in sys.argv else FILE
    record("extractor", f"{EPOCHS} epochs of the 60,000 + 60,000 training images in batches of {BATCH}, Adam at {LR} falling to zero over "
           "the last 70 %, passes in bf16 on one thread; accuracy of twenty classes on each set's 10,000 test images, of the weights in "
           "float16 as shipped. Set SPARRING_DATA to the folder that holds mnist/ and fashion-mnist/.",
           {"all": "accuracy in float16 within 0.001 of float32; under 400 KB"}, [(f"seed {SEED}", lambda: case(out))])
