"""The choice between candidates: a table, the one-standard-error rule, and what it comes to in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from neurolatent.diagnostics.engines import restarts_at_best
from neurolatent.ops.metrics import bayes_information, bits_per, paired_difference
from neurolatent.result import Fit
from neurolatent.validation.baseline import BY_UNIT, Yardstick

RARE = 0.02  # share of the samples below which a state is called rare; spec of the HMM-GLM, section 5


@dataclass(frozen=True, eq=False)
class Choice:
    """Candidates side by side on held-out data.

    Attributes:
        scores: One row per candidate and held-out sequence or block: fold, log_score and baseline (nats), amount (of
            the ``unit`` in which bits are counted), values, converged.
        facts: What each fit to all data says of itself, one row per candidate.
        fits: These fits; empty where the choice was read from a file.
        is_whole: False where it was interrupted before the last candidate.
    """

    scores: pd.DataFrame
    facts: pd.DataFrame
    fits: Mapping[str, Fit] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def names(self) -> list[str]:
        """The candidates, in the order given."""
        return [str(name) for name in self.facts["candidate"]]

    @property
    def yardstick(self) -> Yardstick:
        """In what the bits are counted."""
        return BY_UNIT[str(self.scores["unit"].iloc[0])]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per candidate.

        Columns: ``candidate``; ``log_score``, the held-out log likelihood (nats); ``difference`` to the best and its
        ``standard_error`` over held-out sequences; the bits against the baseline; ``log_score_per_value``;
        ``folds_converged`` of ``folds``; of the fit to all data ``parameters``, ``bic``, ``rarest`` (share of the least
        visited state), ``restarts``, ``restarts_at_best`` and ``converged``.
        """
        held_out = pd.DataFrame([self._held_out(name) for name in self.names])
        return held_out.merge(self.facts, on="candidate", validate="1:1")

    def _held_out(self, name: str) -> dict[str, Any]:
        part: Any = self.scores[self.scores["candidate"] == name]
        total, baseline, amount, values = (float(part[c].sum()) for c in ("log_score", "baseline", "amount", "values"))
        gap = paired_difference(self.units(name), self.units(self.best))
        folds = part.groupby("fold")["converged"].first()
        return {
            "candidate": name,
            "log_score": total,
            "difference": gap.total,
            "standard_error": gap.standard_error,
            self.yardstick.figure: bits_per(total, baseline, amount),
            "log_score_per_value": total / values,
            "folds_converged": int(folds.sum()),
            "folds": len(folds),
        }

    def units(self, name: str) -> Float[np.ndarray, " units"]:
        """(held-out sequences or blocks,) log score of a candidate, nats."""
        return self.scores.loc[self.scores["candidate"] == name, "log_score"].to_numpy(float)

    def by_fold(self) -> pd.DataFrame:
        """Bits against the baseline, one row per fold, one column per candidate."""
        sums: Any = self.scores.groupby(["fold", "candidate"], sort=False)[["log_score", "baseline", "amount"]].sum()
        bits: Any = pd.Series([bits_per(*row) for row in sums.to_numpy(float)], sums.index)
        return bits.unstack("candidate").reindex(columns=self.names)

    @cached_property
    def best(self) -> str:
        """The candidate with the highest held-out score."""
        return max(self.names, key=lambda name: float(self.units(name).sum()))

    @cached_property
    def chosen(self) -> str:
        """The candidate with the fewest parameters that the best does not beat by more than one standard error.

        Reference: Breiman, Friedman, Olshen and Stone (1984), Classification and Regression Trees, section 3.4.3; the
        error is that of the paired difference.
        """
        rows = [r for r in self.table.to_dict("records") if r["difference"] >= -np.nan_to_num(r["standard_error"])]
        return str(min(rows, key=lambda r: (r["parameters"], -r["difference"]))["candidate"])

    def row(self, name: str) -> dict[str, Any]:
        """The row of a candidate in the table."""
        return self.table.set_index("candidate", drop=False).loc[name].to_dict()

    def figures_of(self, name: str) -> dict[str, float]:
        """Figures of one candidate by flat names."""
        names = {"log_score": "cv.loglik", self.yardstick.figure: f"cv.{self.yardstick.figure}", "bic": "bic"}
        names |= {"difference": "cv.difference", "standard_error": "cv.standard_error", "rarest": "states.rarest"}
        names |= {"log_score_per_value": "cv.loglik_per_bin_neuron"} if self.yardstick.unit == "spike" else {}
        row = self.row(name)
        return {figure: float(row[column]) for column, figure in names.items()}

    def figures(self) -> dict[str, float]:
        """Figures of the chosen candidate, and of each one with ``@`` and its name."""
        each = {f"{figure}@{n}": value for n in self.names for figure, value in self.figures_of(n).items()}
        return self.figures_of(self.chosen) | each

    def words(self) -> list[str]:
        """The recommendation, and what else should be known of it."""
        return [_recommendation(self), *_doubts(self)]


def facts_of_fit(name: str, fit: Fit) -> dict[str, Any]:
    """What a fit to all data says of itself, as a row of ``Choice.facts``."""
    latents, count = fit.idata["latents"], int(fit.model.n_parameters(fit.params))
    smoothed, trace = latents["smoothed"].values, fit.idata["trace"]
    inside = np.isfinite(smoothed).all(axis=1)
    at_best = restarts_at_best(trace["objective"].values) if "objective" in trace else np.zeros(0, bool)
    return {
        "candidate": name,
        "parameters": count,
        "bic": bayes_information(float(latents["log_evidence"].values.sum()), count, int(inside.sum())),
        "rarest": float(smoothed[inside].mean(axis=0).min()),
        "restarts": len(at_best),
        "restarts_at_best": int(at_best.sum()),
        "converged": bool(fit.converged),
    }


def _recommendation(choice: Choice) -> str:
    chosen, best, row = choice.chosen, choice.best, choice.row(choice.chosen)
    bits = f"{row[choice.yardstick.figure]:.4f} bits per {choice.yardstick.unit} over {choice.yardstick.without}"
    if len(choice.names) == 1:
        return f"{chosen}: {bits} on held-out data; there is nothing to choose from."
    if chosen == best:
        return f"Choose {chosen}: no other candidate tells held-out data better ({bits})."
    return (
        f"Choose {chosen} ({bits}). {best} has the highest held-out log likelihood, but {chosen} has fewer parameters "
        f"and lies {-row['difference']:.1f} nats below it, within one standard error of that difference "
        f"({row['standard_error']:.1f} nats over {len(choice.units(best))} held-out pieces)."
    )


def _doubts(choice: Choice) -> list[str]:
    said, rows = [], choice.table.to_dict("records")
    lowest = str(min(rows, key=lambda r: r["bic"])["candidate"])
    if len(rows) > 1 and lowest != choice.chosen:
        said.append(f"The BIC, which holds nothing out, would take {lowest}.")
    if len(rows) > 2 and choice.best == rows[-1]["candidate"]:
        said.append(f"The best score stands at the end of the range, {choice.best}: try beyond it.")
    if choice.row(choice.chosen)[choice.yardstick.figure] < 0:
        said.append(f"Even the chosen one tells held-out data worse than {choice.yardstick.without}.")
    if not choice.is_whole:
        said.append("It was interrupted: candidates are missing.")
    for row in rows:
        said += [f"{row['candidate']}: {doubt}" for doubt in _doubts_of(row)]
    return said


def _doubts_of(row: Mapping[Any, Any]) -> list[str]:
    said, fits = [], row["folds"] + 1
    if row["rarest"] < RARE:
        said.append(f"its rarest state holds {row['rarest']:.1%} of the samples.")
    if row["restarts"] > 1 and row["restarts_at_best"] == 1:
        said.append(f"only 1 of {row['restarts']} restarts ended at the best optimum; allow more restarts.")
    if row["folds_converged"] + row["converged"] < fits:
        stopped = fits - row["folds_converged"] - row["converged"]
        said.append(f"{stopped} of {fits} fits had not converged; allow more steps.")
    return said
