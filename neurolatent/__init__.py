"""Latent structure of recordings, with honest uncertainty: one container, one fit, one report.

The public names are loaded when they are first used, so that `import neurolatent` is quick.
All else is reachable by module path and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from neurolatent._version import __version__

if TYPE_CHECKING:
    from neurolatent.choices import EM, NUTS, SVI, Gibbs, MinibatchVI
    from neurolatent.comparison import Sweep, compare
    from neurolatent.diagnostics import Diagnosis, check
    from neurolatent.fitting import fit
    from neurolatent.loaders import load
    from neurolatent.models.arphmm import ARPHMM
    from neurolatent.models.bicluster import BiClustering
    from neurolatent.models.dkf import DKF
    from neurolatent.models.gpvae import GPFA, GPVAE
    from neurolatent.models.hmmglm import HMMGLM
    from neurolatent.models.pvrnn import PVRNN
    from neurolatent.preparation import ChoiceCovariates, DropSilent, HealthIndicator, Regimes, Standardise
    from neurolatent.prognostics import Prognosis, RemainingLife, prognose, risk_table
    from neurolatent.recording import Knowledge, Recording, Signal, weights
    from neurolatent.report import write_report
    from neurolatent.result import Fit
    from neurolatent.validation import Candidate, Folds, cross_validate

__all__ = [
    "ARPHMM",
    "DKF",
    "EM",
    "GPFA",
    "GPVAE",
    "HMMGLM",
    "NUTS",
    "PVRNN",
    "SVI",
    "BiClustering",
    "Candidate",
    "ChoiceCovariates",
    "Diagnosis",
    "DropSilent",
    "Fit",
    "Folds",
    "Gibbs",
    "HealthIndicator",
    "Knowledge",
    "MinibatchVI",
    "Prognosis",
    "Recording",
    "Regimes",
    "RemainingLife",
    "Signal",
    "Standardise",
    "Sweep",
    "__version__",
    "check",
    "compare",
    "cross_validate",
    "fit",
    "load",
    "prognose",
    "risk_table",
    "weights",
    "write_report",
]

_HOMES = {
    "ARPHMM": "neurolatent.models.arphmm",
    "BiClustering": "neurolatent.models.bicluster",
    "Candidate": "neurolatent.validation",
    "ChoiceCovariates": "neurolatent.preparation",
    "Diagnosis": "neurolatent.diagnostics",
    "DKF": "neurolatent.models.dkf",
    "DropSilent": "neurolatent.preparation",
    "EM": "neurolatent.choices",
    "Fit": "neurolatent.result",
    "Folds": "neurolatent.validation",
    "GPFA": "neurolatent.models.gpvae",
    "GPVAE": "neurolatent.models.gpvae",
    "Gibbs": "neurolatent.choices",
    "HMMGLM": "neurolatent.models.hmmglm",
    "HealthIndicator": "neurolatent.preparation",
    "Knowledge": "neurolatent.recording",
    "MinibatchVI": "neurolatent.choices",
    "NUTS": "neurolatent.choices",
    "PVRNN": "neurolatent.models.pvrnn",
    "Prognosis": "neurolatent.prognostics",
    "Recording": "neurolatent.recording",
    "Regimes": "neurolatent.preparation",
    "RemainingLife": "neurolatent.prognostics",
    "SVI": "neurolatent.choices",
    "Signal": "neurolatent.recording",
    "Standardise": "neurolatent.preparation",
    "Sweep": "neurolatent.comparison",
    "check": "neurolatent.diagnostics",
    "compare": "neurolatent.comparison",
    "cross_validate": "neurolatent.validation",
    "fit": "neurolatent.fitting",
    "load": "neurolatent.loaders",
    "prognose": "neurolatent.prognostics",
    "risk_table": "neurolatent.prognostics",
    "weights": "neurolatent.recording.weights",
    "write_report": "neurolatent.report",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if name == "weights" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
