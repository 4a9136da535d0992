"""What the system in examples/ learns that is told the class: the conditional GAN (`make examples`)."""

import pytest
from sklearn.linear_model import LogisticRegression

from example_systems import real, trained


def agreement(model, name):
    """How often a classifier that learned from real digits names the class that was asked for."""
    x, labels = real(name, 1400)
    asked = model.labels_for(1000)
    judge = LogisticRegression(max_iter=300).fit(x.flatten(1), labels)
    return judge.score(model.sample_at(asked).flatten(1), asked)


@pytest.mark.examples
def test_cgan_draws_the_class_that_it_is_asked_for():
    """A classifier that learned from real digits agrees in nine of ten (chance: one), and one that learned from samples alone names three
    of four real digits."""
    model = trained("cgan", 1500)
    agreed = agreement(model, "cgan")
    print(f"cgan: agreement {agreed:.4f}, {model.scores}")
    assert agreed > 0.9
    assert model.scores["svc_accuracy"] > 0.75
