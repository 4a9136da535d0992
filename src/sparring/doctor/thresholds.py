"""Every threshold of the signs: derived, published, chosen where that is said, or calibrated on half of the labelled runs of
`benchmarks/doctor/doctor.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Distances are in deviations of the data; D's outputs are probabilities; the rest are ratios."""

    # how far samples are from the data
    far: float = 0.25               # calibrated: `distance` above this (and above three floors) is a generator that has not learned
    close: float = 2.0              # floors within which samples count as arrived; chance alone gives about one
    apart: float = 3.0              # floors beyond which a part of the data can be told to be without samples, as `far` asks for
    rest: float = 0.25              # perturbed duality gap in nats of a game that counts as at rest: a fifth of log 4
    flat: float = 0.1               # change of the distance, in deviations, that counts as none
    progress: float = 0.2           # share of a distance by which samples must come nearer, where that is less than `flat`
    waited: int = 4                 # check-ups over which samples that come no nearer stand still
    diffuse: float = 3.0            # support over that of the data: of samples that mostly lie where the data have none

    # the balance of the game (Goodfellow et al., 2014, section 4.1: D = 1/2 and a loss of log 4 where D cannot tell)
    sure: float = 0.85              # accuracy of a D that has won; calibrated
    gap: float = 8.0                # of mean logits on real and generated samples: then 1 - D(G(z)) has a slope below exp(-4); calibrated
    share: float = 0.25             # of the loss of a D that cannot tell, below which D has won; calibrated
    blind: float = 0.06             # relative distance of D's loss from that of a D that cannot tell; calibrated

    # samples beside the data
    missing: float = 0.08           # share of the data that has less than a quarter of its due; calibrated
    much: float = 0.25              # the same, of which chance has no part however near the samples are
    beside: float = 1.0             # distance of a class's samples from it, over that of its own from their mean
    point: float = 0.2              # spread over that of the data, below which all samples are one; calibrated
    support: float = 0.5            # effective number of samples over that of the data (Arora and Zhang, 2017); calibrated
    one: float = 0.05               # support of samples that are nearly one, where their spread is below half; chosen, not calibrated
    copied: float = 0.65            # distance to the training set over that of a real sample (Meehan et al., 2020); calibrated
    leak: float = 0.9               # distance to augmented data over that to the data: below 1 samples are nearer to the former
    company: float = 1.0            # change of a logit with the rest of its batch, in deviations of the logits: as much as between samples
    certain: float = 0.97           # r_t and accuracy of a D that knows its training set; runs that learn stay below 0.9
    overfit: float = 0.5            # r_v of Karras et al. (2020, eq. 1), who find 0.5 too far
    small: int = 200                # images: a tenth of the smallest set in Karras et al. (2020, figure 1)
    repeated: float = 0.3           # share of samples that are in the data more than once

    # lines of text; chosen, not calibrated
    again: float = 0.25             # share of generated lines that come again, less that of real lines
    variety: float = 0.5            # different sequences of four words, over those of the data
    lifted: float = 0.25            # share of generated lines that stand in the training text, less that of held-out lines
    least_reward: float = 0.05      # of a line, on average, below which all are worth the same; above 1 less this too

    # key points of clips, where a frame reaches from -1 to 1; chosen, not calibrated
    together: float = 0.1           # root mean square distance of key points from their mean
    outside: float = 0.5            # share of key points at the border of the frame
    unmoved: float = 0.01           # of the key point that moves most: a third of a pixel at 64 pixels
    copying: float = 0.98           # L1 of rebuilt frames over that of the frame they were rebuilt from

    # movement
    wander: float = 0.2             # how far the samples' mean moves between two check-ups, in deviations; calibrated
    turns: float = 2.5              # length of that path over the distance between its ends, of a mean that circles; calibrated
    huge: float = 5.0               # spread or distance, in deviations of the data, that no sample of the data has
    loud: float = 2.0               # D's loss over that of a D that says the same of everything; calibrated
    scores: float = 20.0            # of a critic's loss: over the samples' distance, which slopes near one do not exceed; calibrated
    hasty: float = 0.03             # last step over the weights after the first fifth of the run; calibrated (1e-3 is customary)
    still: float = 1e-3             # the largest such step ever, of players that do not move; calibrated
    uneven: float = 30.0            # paces of the players, one over the other
    dead: float = 0.4               # share of a player's rectifiers that are off for every sample; calibrated
    tight: float = 1e-3             # critic's scores of real less generated samples, over their distance; calibrated
    behind: float = 0.3             # share of rounds in which a critic scores generated samples above real ones; at its optimum none
    steep: float = 1.0              # mean of (|slope| - 1)^2, which the penalty is to keep near zero

    streak: int = 2                 # check-ups in a row that a sign must be there
    over: int = 3                   # check-ups in a row without a failure, after which it is over
    least: int = 3                  # check-ups without which there is no verdict


CALIBRATED = Thresholds()
