"""What no bi-clustering can be, whatever the data."""

from typing import Any

from neurolatent.checks import InputError, at_least, one_of, positive, whole_number

CHOICES = {
    "family": ("nb", "poisson"),
    "coupling": ("block", "full"),
    "labels": ("telescoping", "collapsed"),
    "birth": ("prior", "heuristic"),
}


def refuse_choices(model: Any) -> None:
    """Refuse fields that are out of range.

    Raises:
        InputError: The message names the field and its value.
    """
    for name, known in CHOICES.items():
        one_of(name, getattr(model, name), known)
    if model.coupling == "full" and model.family == "poisson":
        raise InputError(
            "coupling='full' is for family='nb': trajectories of Poisson counts are accepted cluster by cluster, which "
            "must not drive one another. Take family='nb' or coupling='block'."
        )
    for name, low in (("n_factors", 1), ("max_states", 1), ("births", 0)):
        whole_number(name, getattr(model, name), low)
    if model.max_clusters is not None:
        whole_number("max_clusters", model.max_clusters, 1)
    if not 0 < model.rho < 1:
        raise InputError(f"rho must lie strictly between 0 and 1, got {model.rho}: it is P(one cluster)")
    for name in (
        "concentration",
        "alpha",
        "gamma",
        "law_precision",
        "offset_sd",
        "dispersion_shape",
        "dispersion_rate",
    ):
        positive(name, getattr(model, name))
    at_least("kappa", model.kappa, 0.0)
    positive("proposal_dispersion", model.proposal_dispersion)
