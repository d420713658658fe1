"""What a recipe asks for, as objects: all of it is loaded and checked before the first fit."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from neurolatent.checks import InputError, existing_file, whole_number
from neurolatent.choices import EM, NUTS, SVI, Engine, Gibbs, MinibatchVI, TwoStage
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.dkf import DKF
from neurolatent.models.gpvae import GPVAE
from neurolatent.models.hmmglm import HMMGLM
from neurolatent.models.protocols import HasBound, HasTwoStages, TellsEntries
from neurolatent.models.pvrnn import PVRNN, VRNN
from neurolatent.preparation import STEPS, Step
from neurolatent.recipe.beliefs import knowledge_of
from neurolatent.recipe.data import recording_of
from neurolatent.recipe.figures import refuse_horizon
from neurolatent.recipe.held_out import folds_in
from neurolatent.recipe.lives import Ahead, ahead_of
from neurolatent.recipe.objects import build, build_named, expect_table, refuse_unknown
from neurolatent.recipe.read import Recipe
from neurolatent.recording import Knowledge, Recording
from neurolatent.validation import Folds

MODELS: dict[str, type] = {
    "arphmm": ARPHMM,
    "biclustering": BiClustering,
    "dkf": DKF,
    "gpvae": GPVAE,
    "hmmglm": HMMGLM,
    "pvrnn": PVRNN,
    "vrnn": VRNN,
}
ENGINES: dict[str, type] = {
    "em": EM,
    "gibbs": Gibbs,
    "minibatch_vi": MinibatchVI,
    "nuts": NUTS,
    "svi": SVI,
    "two_stage": TwoStage,
}
ASSESSMENT = (
    "folds",
    "edges",
    "horizon",
    "card",
    "leads",
    "seen",
    "endings",
    "hide",
)  # keys of [test] that concern no recording


class Parts(NamedTuple):
    """A recipe as objects."""

    recording: Recording
    model: Any
    engine: Engine | None
    steps: tuple[Step, ...]
    whole: Recording | None = None  # with the entries that are hidden from the fit; None where none are


@dataclass(frozen=True)
class Hidden:
    """Entries of the modelled signal, at random, that the fit is not shown and is then asked for."""

    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"share must lie strictly between 0 and 1, got {self.share}")
        whole_number("seed", self.seed, 0)


@dataclass(frozen=True)
class Assessment:
    """What the section [test] asks for, besides its recording."""

    folds: int | None = None
    edges: tuple[float, ...] = ()  # life fractions that stand for the truth of states, from 0 to 1
    horizon: int = 0
    card: str | None = None
    leads: tuple[int, ...] = ()  # steps ahead at which a model of patterns is measured
    seen: tuple[int, ...] = ()  # steps of a path that are seen before the rest of it is foretold
    endings: int = 0  # clusters of the ends of training paths, among which the end is foretold; 0 asks for none
    hide: Hidden | None = None

    def __post_init__(self) -> None:
        whole_number("horizon", self.horizon, 0)
        whole_number("endings", self.endings, 0)
        for name in ("leads", "seen"):
            for value in getattr(self, name):
                whole_number(name, value, 1)
        if self.folds is not None and (len(self.edges) < 2 or not (np.diff(self.edges) > 0).all()):
            raise InputError(
                f"with folds it needs 'edges', two or more rising life fractions that stand for the truth of states, "
                f"got {list(self.edges)}"
            )


class Plan(NamedTuple):
    """All that is needed before the first fit, so that nothing is refused after it."""

    parts: Parts
    assessment: Assessment
    test: Recording | None
    splits: list[tuple[Recording, Recording]]  # training and held-out units of each fold
    arms: dict[str, Parts]
    ahead: Ahead | None  # the prognosis that is asked for
    folds: Folds | None  # of the section [cv]
    simulated: dict[str, Any]  # the table [data.simulate]


def parts_of(recipe: Recipe, recording: Recording | None = None) -> Parts:
    """The objects that a recipe names; ``recording`` spares loading it again."""
    name, data = recipe.name, recipe.section("data")
    model = build_named(recipe.section("model"), MODELS, f"{name}: [model]")
    engine = build_named(recipe.section("engine"), ENGINES, f"{name}: [engine]") if recipe.section("engine") else None
    steps = tuple(build_named(step, STEPS, f"{name}: [[prepare]]") for step in recipe.table.get("prepare", []))
    is_loaded = recording is None
    recording = recording_of(data, f"{name}: [data]", recipe.seed) if recording is None else recording
    if "knowledge" in data:
        where = f"{name}: [data.knowledge]"
        known = knowledge_of(expect_table(data["knowledge"], where), recording, where, recipe.seed)
        recording = recording.with_knowledge(known)
    if is_loaded and "hide" in recipe.section("test"):
        where = f"{name}: [test] hide"
        hidden = build(Hidden, expect_table(recipe.section("test")["hide"], where), where)
        return Parts(_without(recording, model, hidden, where), model, engine, steps, recording)
    return Parts(recording, model, engine, steps)


def _without(recording: Recording, model: Any, hidden: Hidden, where: str) -> Recording:
    """The recording without the hidden entries."""
    if not isinstance(model, TellsEntries):
        raise InputError(f"{where}: {type(model).__name__} does not tell single entries; hold sequences out by [cv]")
    return recording.hide(model.signal_of(recording), hidden.share, seed=hidden.seed)


def test_recording(recipe: Recipe) -> Recording | None:
    """The recording of the [test] section; None where it only names folds."""
    test = recipe.section("test")
    if "path" not in test and "simulate" not in test:
        return None
    table = {k: v for k, v in test.items() if k not in ASSESSMENT}
    return recording_of(table, f"{recipe.name}: [test]", recipe.seed + 1_000_003)


def plan_of(recipe: Recipe) -> Plan:
    """What a recipe asks for, with its data loaded and all of it checked."""
    where = f"{recipe.name}: [test]"
    for card in recipe.cards:
        existing_file(card)
    parts, section = parts_of(recipe), recipe.section("test")
    test = test_recording(recipe)
    if test is None:
        refuse_unknown(section, ("path", "simulate", *ASSESSMENT), where)
    assessment = build(Assessment, {k: v for k, v in section.items() if k in ASSESSMENT}, where)
    if assessment.horizon and test is None:
        raise InputError(f"{where}: horizon needs a test recording: add path or simulate")
    if assessment.horizon and test is not None:
        signal = parts.model.signal or parts.model.signal_of(test)
        refuse_horizon(test, signal, assessment.horizon, parts.model.order + 1, where)
    arms = {name: parts_of(arm, unknowing(parts.recording)) for name, arm in recipe.arms().items()}
    ahead = ahead_of(recipe.section("prognosis"), f"{recipe.name}: [prognosis]")
    is_tested = test is not None and isinstance(parts.model, (HasTwoStages, HasBound))
    if arms and assessment.folds is None and ahead is None and not is_tested:
        raise InputError(
            f"{recipe.name}: [arms] are compared on held-out units: add folds and edges to [test], or [prognosis]"
        )
    folds = folds_in(recipe.section("cv"), f"{recipe.name}: [cv]") if recipe.section("cv") else None
    splits = _splits(parts.recording, assessment, recipe.seed)
    return Plan(parts, assessment, test, splits, arms, ahead, folds, recipe.section("data").get("simulate", {}))


def unknowing(recording: Recording) -> Recording:
    """The recording without what is known of its states."""
    return replace(recording, knowledge=Knowledge())


def _splits(recording: Recording, assessment: Assessment, seed: int) -> list[tuple[Recording, Recording]]:
    """Training and held-out units of each fold; each training part needs units that failed."""
    if assessment.folds is None:
        return []
    splits = recording.folds(assessment.folds, seed=seed)
    for train, _ in splits:
        if not train.failed(True, "the assessment by folds").any():
            raise InputError(f"{recording.title}: some fold is left without a training unit that failed; lower folds")
    return splits
