"""The adversarial losses under their public name: `from sparring.losses import nonsaturating`; they live in objectives."""

from sparring.objectives.losses import *  # noqa: F403
