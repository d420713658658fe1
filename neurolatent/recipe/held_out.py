"""The section [cv] of a recipe: its model on data that it has not seen, beside the same model with one state."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neurolatent.fitting import fit
from neurolatent.recipe.objects import build
from neurolatent.result import Fit
from neurolatent.validation import Candidate, Choice, Folds, held_out_scores
from neurolatent.validation.cross import choice_of, split

ITSELF, ONE_STATE = "as written", "one state"


def folds_in(section: Mapping[str, Any], where: str) -> Folds:
    """The folds of the section [cv]; five random ones where it says nothing."""
    return build(Folds, section, where)


def cross_validated(parts: Any, fitted: Fit, folds: Folds, seed: int) -> Choice:
    """Held-out scores of a recipe's model, of which ``fitted`` is the fit to all data, and of its one-state version."""
    models = {ITSELF: parts.model}
    if parts.model.n_states > 1:
        models[ONE_STATE] = replace(parts.model, n_states=1)
    splits = split(parts.recording, parts.steps, list(models.values()), folds, seed)
    fits, tables = {ITSELF: fitted}, []
    for name, model in models.items():
        tables.append(held_out_scores(Candidate(model, parts.engine), splits).assign(candidate=name))
        if name not in fits:
            fits[name] = fit(model, parts.recording, parts.steps, parts.engine, seed)
    return choice_of(tables, fits)
