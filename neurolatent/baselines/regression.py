"""Plain regressions on a table of features: arrays in, arrays learned, nothing pickled.

``learn`` returns a mapping of arrays, ``predict`` answers row by row: no row changes with the number of its neighbours.
"""

from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float

from neurolatent.checks import at_least, whole_number, within

Learned = dict[str, np.ndarray]


@runtime_checkable
class Regressor(Protocol):
    """A frozen dataclass of plain values."""

    def learn(self, x: np.ndarray, y: np.ndarray, *, seed: int) -> Learned:
        """What must be known, from features (rows, columns) in which NaN is missing, and targets (rows,)."""
        ...

    def predict(self, x: np.ndarray, learned: Learned) -> np.ndarray:
        """(rows,) predictions."""
        ...


@dataclass(frozen=True)
class Constant:
    """The mean of the targets, whatever the features."""

    def learn(self, x: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, " rows"], *, seed: int) -> Learned:
        """The mean."""
        return {"mean": np.asarray(y.mean())}

    def predict(self, x: Float[np.ndarray, "rows columns"], learned: Learned) -> Float[np.ndarray, " rows"]:
        """The mean, for every row."""
        return np.full(len(x), float(learned["mean"]))


@dataclass(frozen=True)
class Ridge:
    """Least squares on standardised features with a penalty on the squares of the coefficients.

    A missing feature counts as its mean; a feature that never changes is left out.
    """

    penalty: float | int = 1e-3  # relative to the number of rows: ours, as for the health indicator

    def __post_init__(self) -> None:
        at_least("penalty", self.penalty, 0.0)

    def learn(self, x: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, " rows"], *, seed: int) -> Learned:
        """Centre and weight of every feature, and the intercept."""
        seen = ~np.isnan(x)
        count = np.maximum(seen.sum(axis=0), 1)
        centre = np.where(seen, x, 0.0).sum(axis=0) / count
        shift = np.where(seen, x - centre, 0.0)
        sd = np.sqrt((shift**2).sum(axis=0) / count)
        shift = shift / np.where(sd > 1e-12, sd, np.inf)
        gram = shift.T @ shift / len(y) + self.penalty * np.eye(x.shape[1])
        weight = np.linalg.solve(gram, shift.T @ (y - y.mean()) / len(y)) / np.where(sd > 1e-12, sd, np.inf)
        return {"centre": centre, "weight": weight, "intercept": np.asarray(y.mean())}

    def predict(self, x: Float[np.ndarray, "rows columns"], learned: Learned) -> Float[np.ndarray, " rows"]:
        """Column by column."""
        out = np.full(len(x), float(learned["intercept"]))
        for column, (centre, weight) in enumerate(zip(learned["centre"], learned["weight"], strict=True)):
            shift = x[:, column] - centre
            out += np.where(np.isnan(shift), 0.0, shift) * weight
        return out


@dataclass(frozen=True)
class BoostedTrees:
    """Gradient-boosted regression trees for squared error; scikit-learn grows them, missing features included.

    Attributes:
        leaves: Most leaves of a tree.
        share: Share of the features tried at each split.
    """

    trees: int = 100
    leaves: int = 31  # scikit-learn's default
    least_rows: int = 50  # ours: rows of one unit are alike, so that scikit-learn's 20 are few
    rate: float | int = 0.1
    share: float | int = 0.3  # ours, for speed and variety
    penalty: float | int = 1.0

    def __post_init__(self) -> None:
        for name in ("trees", "leaves", "least_rows"):
            whole_number(name, getattr(self, name), 2 if name == "leaves" else 1)
        within("share", self.share, 1e-6, 1.0)
        at_least("rate", self.rate, 1e-6)
        at_least("penalty", self.penalty, 0.0)

    def learn(self, x: Float[np.ndarray, "rows columns"], y: Float[np.ndarray, " rows"], *, seed: int) -> Learned:
        """The trees as arrays (trees, nodes): feature, threshold, side of the missing, children, value."""
        from sklearn.ensemble import HistGradientBoostingRegressor  # slow to import, and only here needed
        from threadpoolctl import threadpool_limits

        x = np.where(np.isnan(x).all(axis=0), 0.0, x)  # scikit-learn fails on a column that was never observed
        grower = HistGradientBoostingRegressor(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.least_rows,
            learning_rate=float(self.rate),
            max_features=float(self.share),
            l2_regularization=float(self.penalty),
            early_stopping=cast(Any, False),
            random_state=seed,
        )
        with threadpool_limits(1, user_api="openmp"):  # on a busy machine its threads wait for one another
            grower.fit(x, y)
            learned = _arrays_of(grower)
            some = slice(0, 1000)
            agrees = np.allclose(self.predict(x[some], learned), grower.predict(x[some]))
        if not agrees:
            raise RuntimeError("this version of scikit-learn stores its trees in another way than is known here")
        return learned

    def predict(self, x: Float[np.ndarray, "rows columns"], learned: Learned) -> Float[np.ndarray, " rows"]:
        """The sum of the leaves that each row falls into."""
        out = np.full(len(x), float(learned["baseline"]))
        rows = np.arange(len(x))
        fields = [learned[n] for n in ("feature", "threshold", "missing_left", "left", "right", "is_leaf", "value")]
        for feature, threshold, missing_left, left, right, is_leaf, value in zip(*fields, strict=True):
            node = np.zeros(len(x), np.int64)
            for _ in range(int(learned["depth"])):
                found = x[rows, feature[node]]
                goes_left = np.where(np.isnan(found), missing_left[node], found <= threshold[node])
                node = np.where(is_leaf[node], node, np.where(goes_left, left[node], right[node]))
            out += value[node]
        return out


def _arrays_of(grower: Any) -> Learned:
    """The nodes of all trees, padded to the largest one."""
    trees = [one[0].nodes for one in grower._predictors]  # private: `learn` compares the answers
    size = max(len(nodes) for nodes in trees)
    names = {
        "feature": "feature_idx",
        "threshold": "num_threshold",
        "missing_left": "missing_go_to_left",
        "left": "left",
        "right": "right",
        "is_leaf": "is_leaf",
        "value": "value",
    }
    kinds = {"feature": np.int32, "left": np.int32, "right": np.int32, "missing_left": bool, "is_leaf": bool}
    out: Learned = {}
    for name, field in names.items():
        rows = [np.pad(nodes[field].astype(kinds.get(name, float)), (0, size - len(nodes))) for nodes in trees]
        out[name] = np.stack(rows)
    out["depth"] = np.asarray(max(int(nodes["depth"].max()) for nodes in trees))
    out["baseline"] = np.asarray(float(np.ravel(grower._baseline_prediction)[0]))
    return out
