"""What a number of attacks came to."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """How often it was tried, what went wrong (with what is needed to do it again), and facts to be shown."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Trials in which the promise held; a trial that failed in two ways is two failures, and still one trial."""
        return self.tried - len({failure.split(":")[0] for failure in self.failures})

    def fail(self, trial: object, what: str) -> None:
        self.failures.append(f"{trial}: {what}")

    def count(self, fact: str) -> None:
        self.facts[fact] = int(self.facts.get(fact, 0)) + 1
