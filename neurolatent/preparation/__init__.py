"""Steps that learn from training data: fitted once, kept in the Fit, replayed on every new recording."""

from collections.abc import Sequence

from neurolatent.checks import InputError, place
from neurolatent.preparation.channels import listed
from neurolatent.preparation.choice_covariates import ChoiceCovariates
from neurolatent.preparation.health_indicator import HealthIndicator
from neurolatent.preparation.principal_components import PrincipalComponents
from neurolatent.preparation.protocol import Applied, Learned, PreparationWarning, Step
from neurolatent.preparation.regimes import Regimes
from neurolatent.preparation.silent import DropSilent
from neurolatent.preparation.standardise import Standardise
from neurolatent.recording import Recording

__all__ = [
    "STEPS",
    "Applied",
    "ChoiceCovariates",
    "DropSilent",
    "HealthIndicator",
    "Learned",
    "PreparationWarning",
    "PrincipalComponents",
    "Regimes",
    "Standardise",
    "Step",
    "prepare",
    "replay",
]

# Names that recipes and saved files use.
STEPS: dict[str, type] = {
    "choice_covariates": ChoiceCovariates,
    "drop_silent": DropSilent,
    "health_indicator": HealthIndicator,
    "principal_components": PrincipalComponents,
    "regimes": Regimes,
    "standardise": Standardise,
}


def prepare(recording: Recording, steps: Sequence[Step]) -> tuple[Applied, tuple[Learned, ...]]:
    """The training recording after all steps, each learned from the result of those before, and what they learned.

    Raises:
        InputError: A step that cannot learn, or that refuses a training sequence.
    """
    learned = []
    for step in steps:
        learned.append(step.learn(recording))
        recording, refused = step.apply(recording, learned[-1])
        if refused:
            name, reason = next(iter(refused.items()))
            raise InputError(
                f"{place(recording.name, f'sequence {name}')}: {type(step).__name__}: {reason} "
                f"{len(refused)} training sequences are refused: leave them out with take(...)."
            )
    return Applied(recording, {}), tuple(learned)


def replay(recording: Recording, steps: Sequence[Step], learned: Sequence[Learned]) -> Applied:
    """A new recording after the same steps, by what was learned at training, and the sequences that were refused.

    Raises:
        InputError: All sequences are refused; the message lists the reasons.
    """
    refused: dict[str, str] = {}
    for step, known in zip(steps, learned, strict=True):
        try:
            recording, more = step.apply(recording, known)
        except InputError as error:
            if not refused:
                raise
            raise InputError(f"{error} Refused before: {listed(refused)}") from error
        refused |= more
    return Applied(recording, refused)
