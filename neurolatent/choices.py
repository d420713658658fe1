"""The engines' settings: how a model is learned. Plain values, so that a Fit can be written and read back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from neurolatent.checks import InputError, at_least, one_of, positive, whole_number

STARTS = ("auto", "knowledge", "segments", "kmeans", "random")
GUIDES = ("multivariate", "low_rank", "diagonal")


@dataclass(frozen=True)
class EM:
    """Expectation maximisation: of the posterior density (MAP-EM, the default) or of the likelihood alone."""

    steps: int = 200  # at most
    tolerance: float | int = 1e-6  # relative change of the objective that counts as none
    absolute: float | int = 0.0  # change of the objective in nats that counts as none, whatever its relative size
    min_steps: int = 3  # the authors of the ARPHMM iterate at least three times
    restarts: int | None = None  # None: 1 where knowledge or a fixed start decides, else 5
    start: Literal["auto", "knowledge", "segments", "kmeans", "random"] = "auto"
    use_prior: bool = True  # False: maximum likelihood, with the model's ridge and floor

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 1)
        whole_number("min_steps", self.min_steps, 1)
        at_least("tolerance", self.tolerance, 0.0)
        at_least("absolute", self.absolute, 0.0)
        one_of("start", self.start, STARTS)
        if self.restarts is not None:
            whole_number("restarts", self.restarts, 1)


@dataclass(frozen=True)
class TwoStage:
    """A regression on one part of the training rows and its noise on another, which it has not seen.

    The share and the random split are those of Burkhart et al. (2020); the folds are ours.
    """

    share: float | int = 0.7  # of the training rows, for the regression; the others are for its noise
    split: Literal["random", "blocks"] = "random"  # blocks: the first rows, then the others
    refit: bool = True  # at the end the regression learns all rows, its bandwidths and scales kept
    in_sample: bool = False  # the noise from the rows of the regression: far too small, only where it is asked for
    calibrate: bool = False  # rescale all covariances so that 95 % ellipses hold 95 % of held-out rows
    folds: int = 5  # blocks of time that the calibration holds out in turn
    state_draws: int = 0  # of how the state moves, whose uncertainty then widens what is decoded; 0 for none

    def __post_init__(self) -> None:
        one_of("split", self.split, ("random", "blocks"))
        whole_number("folds", self.folds, 2)
        whole_number("state_draws", self.state_draws, 0)
        if not 0 < self.share < 1:
            raise InputError(
                f"share must lie strictly between 0 and 1, got {self.share}: the noise is learned from rows that the "
                "regression has not seen. in_sample=True takes its own rows, and makes it far too small."
            )


@dataclass(frozen=True)
class NUTS:
    """The no-U-turn sampler on the model's NumPyro program, started near the mode that EM finds.

    A model that learns in two stages starts from these: from ``start`` where it is a TwoStage, else from TwoStage().
    """

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    target_accept: float = 0.9
    max_tree_depth: int = 10
    jitter: float | int = 0.1  # spread of the starts around the mode, in standard deviations of the posterior there
    start: EM | TwoStage = field(default_factory=EM)

    def __post_init__(self) -> None:
        for name in ("chains", "warmup", "draws", "max_tree_depth"):
            whole_number(name, getattr(self, name), 1)
        if not 0 < self.target_accept < 1:
            raise InputError(f"target_accept must lie strictly between 0 and 1, got {self.target_accept}")
        at_least("jitter", self.jitter, 0.0)


@dataclass(frozen=True)
class SVI:
    """Stochastic variational inference: the Gaussian nearest to the posterior, started at the mode that EM finds.

    Guide, optimiser, its rate and the number of steps are those of the method's specification, section 11. The others
    are ours; they were chosen on the cases of tests/engines/test_svi.py.
    """

    guide: Literal["multivariate", "low_rank", "diagonal"] = "multivariate"  # covariance of the Gaussian
    rank: int | None = None  # of the low-rank guide; None: the square root of the number of unknowns
    steps: int = 5000
    learning_rate: float = 1e-2  # of Adam, in standard deviations of the posterior at the mode
    decay: float | int = 0.1  # rate of the last step, relative to the first; 1 keeps it
    n_particles: int = 4  # draws of the guide per step: more make the gradient less noisy
    n_draws: int = 1000  # from the guide at the end
    window: int | None = None  # steps over which the ELBO is averaged to see whether it still rises; None: a tenth
    tolerance: float | int = 0.1  # nats; a smaller rise from window to window counts as none
    start: EM | TwoStage = field(default_factory=EM)

    def __post_init__(self) -> None:
        one_of("guide", self.guide, GUIDES)
        for name, low in (("steps", 4), ("n_particles", 1), ("n_draws", 25)):  # fewer draws do not show their tail
            whole_number(name, getattr(self, name), low)
        at_least("tolerance", self.tolerance, 0.0)
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay must lie above 0 and be at most 1, got {self.decay}")
        if self.rank is not None:
            whole_number("rank", self.rank, 1)
            if self.guide != "low_rank":
                raise InputError(f"rank belongs to the guide 'low_rank', not to {self.guide!r}. Leave one of them out.")
        if self.window is not None:
            whole_number("window", self.window, 2)
        if 2 * self.plateau > self.steps:
            raise InputError(f"steps must hold two windows of {self.plateau}, got {self.steps}")

    @property
    def plateau(self) -> int:
        """Steps in each of the two windows that are compared."""
        return self.window or max(self.steps // 10, 2)


@dataclass(frozen=True)
class MinibatchVI:
    """Amortised variational inference: Adam on the evidence lower bound (ELBO) of minibatches of sequences.

    Rate, decay, batch and patience are those of the specification of the GP-VAE, section 7; the others are ours.
    """

    epochs: int = 300
    batch: int | None = 20  # sequences, about: an epoch is cut into equal batches, the rest left out; None takes all
    learning_rate: float = 3e-3  # of Adam
    final_rate: float = 1e-4  # at the last epoch, after a cosine decay
    own_rate: float | int | None = None  # of parameters that each sequence has for itself; None: learning_rate
    clip: float | int | None = 10.0  # largest norm of the gradient of the bound per sequence; None for no limit
    kl_epochs: int = 0  # over which the weight of the divergence rises from 0 to 1
    validation: float | int = 0.15  # share of the sequences held out, to stop and to choose among restarts; 0 for none
    patience: int = 50  # epochs without a better held-out bound before it stops
    restarts: int = 1
    tolerance: float | int = 0.1  # nats per sequence; a smaller rise of the bound counts as none

    def __post_init__(self) -> None:
        for name, low in (("epochs", 4), ("kl_epochs", 0), ("patience", 1), ("restarts", 1)):
            whole_number(name, getattr(self, name), low)
        if self.batch is not None:
            whole_number("batch", self.batch, 1)
        for name in ("learning_rate", "final_rate"):
            positive(name, getattr(self, name))
        for name in ("own_rate", "clip"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        at_least("tolerance", self.tolerance, 0.0)
        if self.final_rate > self.learning_rate:
            raise InputError(f"final_rate must be at most learning_rate ({self.learning_rate}), got {self.final_rate}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be a share below 1 of the sequences, got {self.validation}")


@dataclass(frozen=True)
class Gibbs:
    """A model's own sampler: chains of sweeps, from different starts. All numbers are ours."""

    chains: int = 4
    warmup: int = 2000  # sweeps that are thrown away
    draws: int = 2000  # sweeps after it, of which single numbers are all kept
    keep: int = 100  # draws of each chain that are kept whole, evenly spaced
    settling: float | int = 0.4  # of the warm-up, in which the model may hold and rearrange as no posterior allows

    def __post_init__(self) -> None:
        for name, low in (("chains", 1), ("warmup", 0), ("draws", 1), ("keep", 1)):
            whole_number(name, getattr(self, name), low)
        if not 0 <= self.settling <= 1:
            raise InputError(f"settling must be a share of the warm-up, got {self.settling}")
        if self.draws % self.keep:
            raise InputError(f"draws must be a multiple of keep, got {self.draws} and {self.keep}")

    @property
    def spacing(self) -> int:
        """Sweeps from one draw that is kept whole to the next."""
        return self.draws // self.keep


Engine = EM | Gibbs | MinibatchVI | NUTS | SVI | TwoStage


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
