"""What a diagnosis consists of: one row per question, with the value, what was wanted, the verdict and the advice."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Verdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Row:
    """One question put to a fit."""

    what: str
    value: float
    threshold: str
    verdict: Verdict
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """The answers to all questions that suit the engine and the model."""

    rows: tuple[Row, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the rows."""
        found = {row.verdict for row in self.rows}
        return "fail" if "fail" in found else ("warn" if "warn" in found else "pass")

    @property
    def passed(self) -> bool:
        """Whether no row fails."""
        return self.verdict != "fail"

    def joined(self, rows: Iterable[Row]) -> "Diagnosis":
        """These rows, then those of ``rows`` whose question has not been put yet."""
        asked = {row.what for row in self.rows}
        return Diagnosis((*self.rows, *(row for row in rows if row.what not in asked)))

    def table(self) -> list[dict[str, Any]]:
        """The rows as plain mappings."""
        return [vars(row) for row in self.rows]

    def __str__(self) -> str:
        width = max((len(row.what) for row in self.rows), default=0)
        lines = [f"verdict: {self.verdict}"]
        for row in self.rows:
            lines.append(f"  {row.verdict:<4}  {row.what:<{width}}  {in_words(row.value):>10}  ({row.threshold})")
            if row.verdict != "pass":
                lines.append(f"        {row.advice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{r.verdict}</td><td>{r.what}</td><td style='text-align:right'>{in_words(r.value)}</td>"
            f"<td>{r.threshold}</td><td>{r.advice}</td></tr>"
            for r in self.rows
        )
        head = "<tr><th>verdict</th><th>what</th><th>value</th><th>threshold</th><th>advice</th></tr>"
        return f"<p><b>Verdict: {self.verdict}</b></p><table>{head}{cells}</table>"


def in_words(value: float, digits: int = 4) -> str:
    """A value with so many significant digits; "no limit" where it is infinite."""
    return "no limit" if value == np.inf else f"{value:.{digits}g}"


def graded(value: float, passes: bool, warns: bool) -> Verdict:
    """The verdict on a value; one that is no number fails."""
    if not np.isfinite(value):
        return "fail"
    return "pass" if passes else ("warn" if warns else "fail")
