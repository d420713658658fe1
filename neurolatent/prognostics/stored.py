"""A prognosis as groups of arrays and plain settings, for one file."""

from typing import Any

from neurolatent.prognostics.fusion import Answers
from neurolatent.prognostics.out_of_fold import HeldOut, OutOfFold
from neurolatent.prognostics.settings import CLASSES as READOUT_CLASSES
from neurolatent.result import Fit, storage
from neurolatent.result.settings import CLASSES, decode, encode

FORMAT = "neurolatent prognosis 1"
PLAIN = ("cap", "channels", "seed")


def stored(prognosis: Any) -> storage.Stored:
    """A prognosis, its fit included, as groups and settings."""
    whole = storage.stored(prognosis.fit)
    tree = {f"fit/{name}": data for name, data in whole.tree.items()}
    for readout, learned in zip(prognosis.settings.all, prognosis.learned, strict=True):
        tree[f"readouts/{readout.name}"] = storage.as_dataset(learned)
    for kind, held in zip(HeldOut._fields, prognosis.held, strict=True):
        arrays = dict(zip(OutOfFold._fields[:3], held[:3], strict=True)) | held.answers._asdict()
        tree[f"held_out/{kind}"] = storage.as_dataset(arrays)
    own = {"remaining_life": encode(prognosis.settings), **{name: getattr(prognosis, name) for name in PLAIN}}
    return storage.Stored(tree, {"fit": whole.settings, **own})


def restored(whole: storage.Stored) -> dict[str, Any]:
    """The fields of a prognosis."""
    tree, own = whole
    inside = {name.removeprefix("fit/"): data for name, data in tree.items() if name.startswith("fit/")}
    settings = decode(own["remaining_life"], {**CLASSES, **READOUT_CLASSES})
    return {
        "fit": Fit(**storage.restored(storage.Stored(inside, own["fit"]))),
        "settings": settings,
        "learned": tuple(storage.as_arrays(tree[f"readouts/{readout.name}"]) for readout in settings.all),
        "held": HeldOut(*(_held(storage.as_arrays(tree[f"held_out/{kind}"])) for kind in HeldOut._fields)),
        **{name: own[name] for name in PLAIN},
    }


def _held(arrays: dict[str, Any]) -> OutOfFold:
    answers = Answers(*(arrays[name] for name in Answers._fields))
    return OutOfFold(arrays["unit"], arrays["position"], arrays["left"], answers)
