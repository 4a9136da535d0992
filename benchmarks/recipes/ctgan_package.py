"""Runs in an environment of its own, with the packages `ctgan` and `sdmetrics`: they are measured here, and never a part of Sparring.

    python ctgan_package.py fit TRAIN.csv OUT.csv EPOCHS SEED NAMES,OF,CATEGORIES     # prints seconds of fitting and of sampling
    python ctgan_package.py quality REAL.csv MADE.csv NAMES,OF,CATEGORIES             # prints the score of sdmetrics' quality report
"""

import json
import random
import sys
import time

import numpy as np
import pandas as pd
import torch


def fit(train: str, out: str, epochs: str, seed: str, categories: str) -> dict[str, float]:
    from ctgan import CTGAN

    random.seed(int(seed))
    np.random.seed(int(seed))
    torch.manual_seed(int(seed))
    rows = pd.read_csv(train, skipinitialspace=True)
    begun = time.process_time()
    model = CTGAN(epochs=int(epochs), enable_gpu=False, verbose=True)
    model.fit(rows, categories.split(","))
    fitted = time.process_time()
    model.sample(len(rows)).to_csv(out, index=False)
    return {"fit seconds": fitted - begun, "sample seconds": time.process_time() - fitted}


def quality(real: str, made: str, categories: str) -> dict[str, float]:
    from sdmetrics.reports.single_table import QualityReport

    a, b = (pd.read_csv(path, skipinitialspace=True) for path in (real, made))
    kinds = {name: {"sdtype": "categorical" if name in categories.split(",") else "numerical"} for name in a}
    report = QualityReport()
    report.generate(a, b, {"columns": kinds}, verbose=False)
    parts = report.get_properties()
    return {"quality": float(report.get_score()), **dict(zip(parts["Property"], map(float, parts["Score"]), strict=True))}


if __name__ == "__main__":
    print(json.dumps({"fit": fit, "quality": quality}[sys.argv[1]](*sys.argv[2:])))
