"""What each finding means, and which settings of the recipe to try, ready to paste."""

from collections.abc import Mapping
from typing import Any

from sparring.doctor.chart import Chart
from sparring.doctor.thresholds import CALIBRATED, Thresholds

EXPLANATIONS = {
    "discriminator_won":
        "The discriminator recognises nearly every generated sample, and the samples are still far from the data. Its loss has fallen from "
        "log 4 to near zero. Where it is that sure, log(1 - D(G(z))) is flat, so the generator gets hardly any gradient (Goodfellow et "
        "al., 2014, section 3; Arjovsky and Bottou, 2017).",
    "generator_won":
        "The discriminator's loss is at its value for samples equal to the data (log 4 for the original GAN), but the samples are far "
        "away. The discriminator is too weak to see the difference, so the generator cannot learn from it.",
    "mode_collapse":
        "A part of the data has hardly any samples: the generator repeats what fools this discriminator, and nothing in the loss asks for "
        "variety (Goodfellow, 2016, section 5.1). `missing` is the share of the data with less than a quarter of the samples it should "
        "have. `support` is the number of different samples over that of the data, by the birthday paradox (Arora and Zhang, 2017).",
    "reward_saturated":
        "The discriminator gives nearly every generated line a probability of 0, or of 1. All words are then worth the same, and the "
        "policy gradient, which follows differences in worth, has almost nothing to follow. Let the discriminator learn more slowly.",
    "points_together":
        "The key points of a frame lie nearly in one place, or at its border, so they cannot tell what moves. `points_apart` is their root "
        "mean square distance from their mean, where a frame reaches from -1 to 1; `points_outside` is the share at the border. Steps that "
        "are too large do this, or an equivariance loss that is too weak.",
    "points_still":
        "The key points stay in their places while the clips move. `points_move` is how far the one that moves most is from its mean over "
        "a clip. The generator cannot learn motion from these; more rounds or a stronger equivariance loss may help.",
    "no_better_than_copying":
        "Frames that are rebuilt from the first frame of their clip are no nearer to the true ones than that frame itself. `rebuilt` is "
        "the difference over that of copying. More rounds may help; so may clips in which more moves (`sparring data CLIPS`).",
    "column_still":
        "Numbers of these columns are nearly the same in every generated row, and differ in the data. `still/NAME` is their deviation over "
        "that of the data. The generator has found one value that passes, and learns nothing more there.",
    "oscillation":
        "The samples circle instead of settling. Near an equilibrium the two gradients rotate around it, and large steps or momentum "
        "spiral outwards (Mescheder et al., 2018). A gradient penalty or smaller steps help.",
    "diverging":
        "Losses or samples have grown far beyond the data. Each step makes it worse, and NaN or infinity comes next.",
    "discriminator_overfitting":
        "The discriminator has overfitted: it judges training and held-out samples differently, or, where none are held out, is sure of "
        "every training sample (r_v and r_t of Karras et al., 2020). Its gradient is then about those samples only.",
    "memorization":
        "Generated samples are nearer to training samples than other real samples are: the generator copies its data (Meehan et al., "
        "2020). Scores against the training set look better than the model is.",
    "batch_leak":
        "The discriminator's output for a sample depends on the rest of its batch. BatchNorm removes each batch's mean and scale. Real and "
        "generated samples come in separate batches, so the discriminator cannot see that the generated ones have another mean or scale. "
        "Use LayerNorm, GroupNorm or no normalization in the discriminator.",
    "augmentation_leak":
        "Samples are nearer to augmented images than to plain ones: the generator has learned the augmentation. This happens when an "
        "augmentation is applied so often that plain images are no longer the most frequent (Karras et al., 2020, section 2.2).",
    "dead_units":
        "Many ReLUs are zero for every sample. They get no gradient and never recover, so only the rest of the network works. Large steps "
        "cause this.",
    "penalty_too_strong":
        "The penalty keeps the discriminator nearly constant. Its loss is at its value for samples equal to the data, but the samples are "
        "far away. The generator has no gradient to follow.",
    "penalty_too_weak":
        "The norm of the critic's gradient is far from one, so its scores do not estimate a Wasserstein distance (Gulrajani et al., 2017, "
        "eq. 3), and the generator's gradients can have any size.",
    "learning_rate_too_high":
        "Steps are still large compared with the weights, long after the start, and the samples are far from the data.",
    "learning_too_slowly":
        "Both players hardly move, and the samples are far from the data. The steps are too small for a run of this length.",
    "learning_rate_imbalance":
        "One player's steps, relative to its weights, are far larger than the other's, which cannot keep up (Heusel et al., 2017).",
    "critic_behind":
        "The critic often scores generated samples above real ones. An optimal critic never does: a constant would be better (Arjovsky et "
        "al., 2017, eq. 2). Its gradient is then useless to the generator.",
    "critic_too_tight":
        "The critic gives nearly the same score everywhere: its weights are clipped so near to zero that its gradient vanishes, and with "
        "it the generator's (Gulrajani et al., 2017, section 3).",
    "data_too_small":
        "There are so few images that the discriminator memorizes them in a few epochs (Karras et al., 2020, figure 1).",
    "data_broken":
        "Many samples are in the data more than once, and the generator learns to repeat them. Remove the copies; `sparring data` shows "
        "them.",
}
TOTAL = ("All samples are nearly the same: the generator repeats what fools this discriminator, and nothing in the loss asks for variety "
         "(Goodfellow, 2016, section 5.1). `spread` is that of the samples over that of the data. `support` is the number of different "
         "samples over that of the data, by the birthday paradox (Arora and Zhang, 2017).")
CLASS = ("Samples that are asked to be of one class look like another, so that class is lost. `class_lost` is the share of the data that "
         "is of such classes. A generator finds it easier to ignore the label of a small class than to draw it.")
LINES = ("Generated lines repeat themselves: the generator writes what fools this discriminator, and nothing in the adversarial loss asks "
         "for variety (Caccia et al., 2020). `repeated` is the share of lines that come again, `repeated_real` that of as many real lines. "
         "`distinct` is the number of different sequences of four words, over that of the data. `anchor=` keeps a part of the likelihood, "
         "which asks for all of the data.")
COLUMN = ("Values of these columns are lost: real rows have them, and hardly any generated one. `lost/NAME` is the share of real rows with "
          "values, or in modes of a number, that have less than a quarter of the rows they should have.")
CONSTANT = ("A share of the columns (`constant`) never changes. The discriminator notices at once when a sample deviates there, and the "
            "generator never gets it exactly right. Leave these columns out; `sparring data` names them.")


def explained(name: str, evidence: Mapping[str, float], limits: Thresholds) -> str:
    """What this finding means, of several kinds the one that is there."""
    spread, support = evidence.get("spread", 1.0), evidence.get("support", 1.0)
    if name == "mode_collapse" and "distinct" in evidence:
        return LINES
    if name == "mode_collapse" and "class_lost" in evidence:
        return CLASS
    if name == "mode_collapse" and any(key.startswith("lost/") for key in evidence):
        return COLUMN
    if name == "mode_collapse" and (spread < limits.point or (support < limits.one and spread < 0.5)):
        return TOTAL
    return CONSTANT if name == "data_broken" and evidence.get("constant", 0.0) > 0 else EXPLANATIONS[name]


def advice(name: str, chart: Chart) -> tuple[str, ...]:
    """At most two sets of settings, the likelier cure first; only settings that this run's recipe has, and that would change."""
    c = chart.settings
    lr = number(c.get("lr"))
    slower, faster = ({"lr": f"{lr / 10:.3g}"}, {"lr": "0.001"}) if lr else ({}, {})
    usual = {"lr": f"{min(lr, 1e-3):.3g}"} if lr else {}
    r1 = {"penalty": "r1", "penalty_weight": "0.1"}
    wide = {"width": str(max(64, int(number(c.get("width")))))} if chart.kind != "images" else {}      # there, pixels decide
    calm = usual | {"beta1": "0", "decay": "1", "lr_ratio": "1", "objective": "nonsaturating", "ema": "0.99"} | r1
    calm |= {"clip": "0"} if "objective" in c else {}           # where the objective is Wasserstein's for good, something must clip
    more = 2 * max(1, int(number(c.get("pack"))))
    packed = {} if c.get("conditional") else {"pack": str(more)}       # it would join samples of different classes
    wanted: dict[str, list[Mapping[str, str]]] = {
        "discriminator_won": [calm | {"discriminator_steps": "1", "lr": "0.002"},
                              {"objective": "nonsaturating", "discriminator_steps": "1"}],
        "generator_won": [{"discriminator_steps": "5"}, faster],
        "mode_collapse": [calm | {"lr": "0.002", "discriminator_steps": "1"} | wide, packed],
        "reward_saturated": [{"discriminator_steps": "1", "discriminator_lr": f"{number(c.get('discriminator_lr')) / 10:.3g}"}],
        "column_still": [calm | {"lr": "0.002"}, packed],
        "points_together": [slower, {"equivariance": f"{10 * number(c.get('equivariance')):.3g}"}],
        "points_still": [{"equivariance": f"{10 * number(c.get('equivariance')):.3g}"}, longer(chart)],
        "no_better_than_copying": [longer(chart)],
        "oscillation": [calm | {"lr": "0.002"} | wide, {"beta1": "0", **slower}],
        "diverging": [calm | {"lr": "0.002"} | wide, slower],
        "discriminator_overfitting": [{"augment": "diff"}, r1],
        "memorization": [{"augment": "diff"}, {"width": str(max(4, int(number(c.get("width")) // 2)))}],
        "batch_leak": [],
        "augmentation_leak": [{"augment": "none"}],
        "dead_units": [{"slope": "0.2"} | calm | {"lr": "0.002"} | wide, slower],
        "penalty_too_strong": [{"penalty_weight": "0.1", "gamma": "0.2", "lr": "0.002"}],
        "penalty_too_weak": [{"penalty_weight": f"{10 * number(c.get('penalty_weight')):.3g}"}, {"critic_steps": "5"}],
        "learning_rate_too_high": [slower],
        "learning_too_slowly": [{"lr": "0.002"}, longer(chart)],
        "learning_rate_imbalance": [{"lr_ratio": "1", "lr": "0.002", "discriminator_steps": "1"}],
        "critic_behind": [{"critic_steps": "10", "discriminator_steps": "5"}, slower],
        "critic_too_tight": [{"clip": "0.05", "lr": "0.0005"}, {"clip": "0.01"}],
        "data_too_small": [{"augment": "diff"}],
        "data_broken": [],
    }
    if chart.kind == "texts" and name == "mode_collapse":
        slow = {key: f"{number(c.get(key)) / 10:.3g}" for key in ("policy_lr", "adversarial_lr")}
        wanted[name] = [{"anchor": f"{2 * number(c.get('anchor')) or 1:g}"}, slow]
    if name in ("memorization", "data_too_small", "discriminator_overfitting") and chart.kind not in ("images", "texts"):
        wanted[name] = [r1]
    tries = [words(one, c) for one in wanted.get(name, [])]
    return tuple(dict.fromkeys(line for line in tries if line))[:2]


def longer(chart: Chart) -> dict[str, str]:
    """Ten times the rounds, where the steps are not so small that these would change nothing either."""
    paces = [value for m in chart.moments for key, value in m.health.items() if key.startswith("pace/")]
    return {"steps": str(10 * max(1, chart.steps))} if max(paces, default=0.0) >= CALIBRATED.still / 10 else {}


def words(wanted: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """`key=value key=value` of what the recipe has and does not have so already."""
    return " ".join(f"{key}={value}" for key, value in wanted.items() if key in settings and not same(settings[key], value))


def same(now: Any, value: str) -> bool:
    try:
        return float(now) == float(value)
    except (TypeError, ValueError):
        return str(now) == value


def number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
