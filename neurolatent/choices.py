"""The engines' settings: how a model is learned. Plain values, so that a Fit can be written and read back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from neurolatent.checks import InputError, at_least, one_of, whole_number

STARTS = ("auto", "knowledge", "segments", "kmeans", "random")


@dataclass(frozen=True)
class EM:
    """Expectation maximisation: of the posterior density (MAP-EM, the default) or of the likelihood alone."""

    steps: int = 200  # at most
    tolerance: float = 1e-6  # relative change of the objective that counts as none
    min_steps: int = 3  # the authors of the ARPHMM iterate at least three times
    restarts: int | None = None  # None: 1 where knowledge or a fixed start decides, else 5
    start: Literal["auto", "knowledge", "segments", "kmeans", "random"] = "auto"
    use_prior: bool = True  # False: maximum likelihood, with the model's ridge and floor

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1)
        whole_number("min_steps", self.min_steps, 1)
        at_least("tolerance", self.tolerance, 0.0)
        one_of("start", self.start, STARTS)
        if self.restarts is not None:
            whole_number("restarts", self.restarts, 1)


@dataclass(frozen=True)
class NUTS:
    """The no-U-turn sampler on the model's NumPyro program, started near the mode that EM finds."""

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    target_accept: float = 0.9
    max_tree_depth: int = 10
    jitter: float | int = 0.1  # spread of the starts around the mode, in standard deviations of the posterior there
    start: EM = field(default_factory=EM)

    def __post_init__(self) -> None:
        for name in ("chains", "warmup", "draws", "max_tree_depth"):
            whole_number(name, getattr(self, name), 1)
        if not 0 < self.target_accept < 1:
            raise InputError(f"target_accept must lie strictly between 0 and 1, got {self.target_accept}")
        at_least("jitter", self.jitter, 0.0)


Engine = EM | NUTS


@dataclass(frozen=True)
class Run:
    """How a fit is carried out; nothing here changes its result.

    Attributes:
        folder: Where checkpoints are written while it runs; None writes none.
        resume: Continue from the checkpoint in the folder, if there is one.
        quiet: Show no progress.
        chunk_seconds: About how long the compiled work lasts between two looks at progress, Ctrl-C and checkpoint.
    """

    folder: Path | None = None
    resume: bool = False
    quiet: bool = True
    chunk_seconds: float = 2.0
