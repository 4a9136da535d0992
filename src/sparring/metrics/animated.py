"""How good animations are: how far frames that are rebuilt from a clip's first frame are from the true ones."""

from sparring.data.video.frame_pairs import FramePairs
from sparring.game import Animation
from sparring.metrics.translated import l1

EXAMPLES, FEW = 256, 16      # pairs of frames that are scored during training, and rebuilt at once


def score(animation: Animation, source: FramePairs, seed: int) -> dict[str, float]:
    """Scores on at most 256 pairs of a clip's first frame and another, of held-out clips where there are such: `l1`, the mean absolute
    difference of the frame as it is rebuilt from the true one, and `l1_copied`, the same of the first frame; both in [0, 2]."""
    pairs = source.examples(EXAMPLES, seed).x
    made, copied = 0.0, 0.0
    for part in pairs.split(FEW):
        first, truth = part.unbind(1)
        rebuilt = animation.render(first, animation.points(first), animation.points(truth)).cpu()
        made += l1(rebuilt, truth) * len(part) / len(pairs)
        copied += l1(first, truth) * len(part) / len(pairs)
    return {"l1": made, "l1_copied": copied}
