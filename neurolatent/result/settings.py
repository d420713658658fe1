"""Settings as JSON and back: frozen dataclasses of plain values, named in one explicit table."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from neurolatent.checks import InputError, did_you_mean
from neurolatent.choices import EM, NUTS, SVI, Gibbs, MinibatchVI, TwoStage
from neurolatent.models import hmmglm
from neurolatent.models.arphmm import ARPHMM, ARPrior
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.dkf import DKF, StatePrior
from neurolatent.models.dkf.motion import MOTIONS, Motion
from neurolatent.models.gpvae import GPVAE
from neurolatent.models.pvrnn import LIKELIHOODS, PVRNN, VRNN, ErrorRegression, Layer
from neurolatent.models.regressors import REGRESSORS
from neurolatent.preparation import STEPS

# What a file may hold: nothing else is ever made from one, so no two may share a name.
KINDS: tuple[type, ...] = (
    *(ARPHMM, ARPrior, BiClustering, DKF, StatePrior, Motion, *MOTIONS.values(), GPVAE),
    *(*hmmglm.CHOICES, *REGRESSORS.values(), PVRNN, VRNN, Layer, *LIKELIHOODS, ErrorRegression),
    *(EM, Gibbs, MinibatchVI, NUTS, SVI, TwoStage),
    *STEPS.values(),
)
CLASSES: dict[str, type] = {kind.__name__: kind for kind in KINDS}


def encode(settings: Any) -> Any:
    """Plain values of nested settings; a dataclass becomes a mapping with its class's name under ``class``."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        values = {f.name: encode(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
        return {"class": type(settings).__name__, **values}
    if isinstance(settings, (tuple, list)):
        return [encode(value) for value in settings]
    return settings


def decode(plain: Any, classes: Mapping[str, type] = CLASSES) -> Any:
    """The settings again; lists become tuples.

    Args:
        classes: What may be made; nothing else ever is.

    Raises:
        InputError: A class that is not in the table.
    """
    if isinstance(plain, dict):
        name = str(plain["class"])
        if name not in classes:
            raise InputError(f"the file speaks of {name!r}, which is unknown here. {did_you_mean(name, classes)}")
        return classes[name](**{key: decode(value, classes) for key, value in plain.items() if key != "class"})
    if isinstance(plain, list):
        return tuple(decode(value, classes) for value in plain)
    return plain


def to_json(value: Any) -> str:
    """JSON with sorted keys, so that equal settings give equal text.

    Raises:
        InputError: A setting that is no plain value, such as an estimator of another package.
    """

    def refuse(setting: Any) -> None:
        raise InputError(
            f"{setting!r} is an object that no file of ours can hold. Use one of neurolatent.models.regressors "
            "and no function of your own, or keep the fit in memory."
        )

    return json.dumps(value, sort_keys=True, default=refuse)
