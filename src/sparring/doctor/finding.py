"""The doctor's findings and verdict."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["failure", "warning", "note"]
Verdict = Literal["healthy", "failing", "converged", "unclear"]
SIGNS = {"failure": "FAILING", "warning": "warning", "note": "note"}


@dataclass(frozen=True)
class Finding:
    """A name, how bad it is, the rounds in which it was seen, the numbers, what it means, and settings to try."""

    name: str
    severity: Severity
    steps: tuple[int, int]                      # first and last round in which the sign was there
    evidence: dict[str, float]
    explanation: str
    actions: tuple[str, ...] = ()               # key=value, best first

    def line(self) -> str:
        """For a terminal."""
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        todo = f" Try: {' or '.join(self.actions)}." if self.actions else ""
        return f"doctor: {SIGNS[self.severity]}: {self.title()} since round {self.steps[0]:,} ({numbers}).{todo}"

    def title(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Diagnosis:
    """A verdict on a run, and why; findings come worst first."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    step: int = 0                               # the round after which it was made
    why: str = ""                               # of an unclear verdict: what is missing

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"verdict": self.verdict, "findings": [asdict(f) | {"steps": list(f.steps), "actions": list(f.actions)}
                                                      for f in self.findings]}

    def ends(self, stop_when: object) -> bool:
        """Whether a run with this `stop_when` is to end here."""
        return (stop_when, self.verdict) in (("failed", "failing"), ("converged", "converged"))

    def line(self) -> str:
        """One line of health."""
        names = ", ".join(finding.title() for finding in self.findings[:2] if finding.name != self.verdict)
        return f"health: {self.verdict}" + (f" ({names})" if names else "")
