"""The handwritten digits that ship inside scikit-learn (1,797 images of 8x8; Alpaydin and Kaynak, 1998), at 16x16."""

import torch
from torch import Tensor

from sparring.data.source import Finite
from sparring.spaces import Images


def digits() -> Finite:
    """Labelled 16x16 images; one in five of each class is held out from training, for scores."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    small = torch.from_numpy(raw.images).float()[:, None] / 16            # the set counts ink from 0 to 16
    large = torch.nn.functional.interpolate(small, size=(16, 16), mode="bilinear", align_corners=False)
    values, labels = (large * 255).round().to(torch.uint8), torch.from_numpy(raw.target).long()
    train, test = train_test_split(torch.arange(len(values)).numpy(), test_size=0.2, stratify=raw.target, random_state=0)
    space = Images(1, 16, 16, tuple(str(d) for d in range(10)))

    def part(index: Tensor, held_out: Finite | None = None) -> Finite:
        return Finite(space, values[index], labels[index], held_out=held_out)

    return part(torch.from_numpy(train), part(torch.from_numpy(test)))
