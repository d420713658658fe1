"""Latent structure of recordings, with honest uncertainty: one container, one fit, one report.

The public names are loaded when they are first used, so that `import neurolatent` is quick.
All else is reachable by module path and may change.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from neurolatent._version import __version__

if TYPE_CHECKING:
    from neurolatent.choices import EM, NUTS
    from neurolatent.compare import Sweep, compare
    from neurolatent.diagnostics import Diagnosis, check
    from neurolatent.fitting import fit
    from neurolatent.loaders import load
    from neurolatent.models.arphmm import ARPHMM
    from neurolatent.preparation import DropSilent, HealthIndicator, Regimes, Standardise
    from neurolatent.recording import Knowledge, Recording, Signal, weights
    from neurolatent.report import write_report
    from neurolatent.result import Fit

__all__ = [
    "ARPHMM",
    "EM",
    "NUTS",
    "Diagnosis",
    "DropSilent",
    "Fit",
    "HealthIndicator",
    "Knowledge",
    "Recording",
    "Regimes",
    "Signal",
    "Standardise",
    "Sweep",
    "__version__",
    "check",
    "compare",
    "fit",
    "load",
    "weights",
    "write_report",
]

_HOMES = {
    "ARPHMM": "neurolatent.models.arphmm",
    "Diagnosis": "neurolatent.diagnostics",
    "DropSilent": "neurolatent.preparation",
    "EM": "neurolatent.choices",
    "Fit": "neurolatent.result",
    "HealthIndicator": "neurolatent.preparation",
    "Knowledge": "neurolatent.recording",
    "NUTS": "neurolatent.choices",
    "Recording": "neurolatent.recording",
    "Regimes": "neurolatent.preparation",
    "Signal": "neurolatent.recording",
    "Standardise": "neurolatent.preparation",
    "Sweep": "neurolatent.compare",
    "check": "neurolatent.diagnostics",
    "compare": "neurolatent.compare",
    "fit": "neurolatent.fitting",
    "load": "neurolatent.loaders",
    "weights": "neurolatent.recording.weights",
    "write_report": "neurolatent.report",
}


class _Root(ModuleType):
    """The package root: importing the module `compare` must not put it before the function of that name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Root


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = home if name == "weights" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
