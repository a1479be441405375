"""What was measured: of each measurement one dictionary a round, from contestant to value; ratios are taken within a round."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from speed.load import Answers

Round = dict[str, float]


@dataclass(slots=True)
class Results:
    """Every measurement of one run of the benchmark."""

    rounds: dict[str, list[Round]] = field(default_factory=dict[str, list[Round]])
    notes: list[str] = field(default_factory=list[str])
    """What went otherwise than it should: statuses that are not 200, contestants that did not start."""
    where: str = ""
    """When and on what machine, as a sentence."""

    @classmethod
    def merged(cls, runs: Sequence[dict[str, Any]]) -> "Results":
        """What other runs measured, as ``as_dict`` gives it; the last one that has a measurement counts."""
        results = cls()
        for run in runs:
            results.rounds.update(run["rounds"])
            results.notes.extend(run["notes"])
            results.where = run.get("where", "")
        return results

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return {"rounds": self.rounds, "notes": self.notes, "where": self.where}

    @property
    def often(self) -> str:
        """How many rounds there were."""
        rounds = sorted({len(rounds) for rounds in self.rounds.values()}) or [0]
        if rounds[0] < rounds[-1]:
            return f"{rounds[0]} to {rounds[-1]} rounds"
        return "1 round" if rounds[0] == 1 else f"{rounds[0]} rounds"

    def begin(self, measurement: str) -> None:
        """A new round of it."""
        self.rounds.setdefault(measurement, []).append({})

    def put(self, measurement: str, contestant: str, value: float) -> None:
        """A value of the round begun last, or of the first one."""
        self.rounds.setdefault(measurement, [{}])[-1][contestant] = value

    def of(self, measurement: str, contestant: str) -> float | None:
        """The median over the rounds; None when it was not measured."""
        return _median(one[contestant] for one in self.rounds.get(measurement, []) if contestant in one)

    def ratio(self, measurement: str, contestant: str, other: str, of_other: str | None = None) -> float | None:
        """The median of the rounds' ratios. ``of_other``: the other's measurement, when it is not the same."""
        mine, theirs = self.rounds.get(measurement, []), self.rounds.get(of_other or measurement, [])
        pairs = zip(mine, theirs, strict=False)
        return _median(one[contestant] / two[other] for one, two in pairs if contestant in one and two.get(other))

    def contestants(self, measurement: str) -> list[str]:
        """Who was measured, in the order of the first time."""
        return list(dict.fromkeys(name for one in self.rounds.get(measurement, []) for name in one))

    def note_others(self, what: str, answers: Answers) -> None:
        """Note every status that is not 200."""
        others = {status: count for status, count in answers.statuses.items() if status != 200}
        if others:
            self.notes.append(f"{what}: {answers.answered} times 200, and {others}")

    def note_calls(self, what: str, answers: Answers, counts: Mapping[str, int]) -> None:
        """Note when fewer answers were written by the model than there are: the others came from a fallback."""
        written = counts.get("generateContent", 0) + counts.get("streamGenerateContent", 0)
        if written < answers.answered:
            self.notes.append(f"{what}: {answers.answered} answers, {written} of the model")


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
