"""The one entrance: prepares, checks, selects, runs, wraps. Knows each model's default engine."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import xarray as xr

from neurolatent.checks import InputError, whole_number
from neurolatent.choices import EM, NUTS, SVI, Engine, Gibbs, MinibatchVI, Run, TwoStage
from neurolatent.compiling import key_of
from neurolatent.engines import em, gibbs, minibatch, nuts, svi, twostage
from neurolatent.engines.trained import Trained
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.dkf import DKF
from neurolatent.models.gpvae import GPVAE
from neurolatent.models.hmmglm import HMMGLM
from neurolatent.models.protocols import (
    HasBound,
    HasDensity,
    HasEMStep,
    HasGibbs,
    HasTwoStages,
    Model,
    ModelWarning,
    Refuses,
    Selected,
    TrainsBeside,
)
from neurolatent.models.pvrnn import PVRNN, VRNN
from neurolatent.precision import in_double
from neurolatent.preparation import PreparationWarning, Step
from neurolatent.preparation import prepare as learn_steps
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.result.build import digest, facts_of, groups, versions
from neurolatent.result.settings import encode

NOTICED = (PreparationWarning, ModelWarning)  # kept in the Fit, not shown
DEFAULT_ENGINES: dict[type, Callable[[Any], Engine]] = {
    ARPHMM: lambda model: EM(),
    BiClustering: lambda model: Gibbs(),
    DKF: lambda model: TwoStage(),
    # a linear decoder starts near its optimum: larger steps, and few; ours
    GPVAE: lambda model: (
        MinibatchVI() if model.has_behaviour else MinibatchVI(epochs=200, learning_rate=1e-2, final_rate=1e-3)
    ),
    # all sequences at once, a constant rate, nothing held out: as in all published codes (specification, section 6)
    PVRNN: lambda model: MinibatchVI(5000, None, 1e-3, 1e-3, clip=None, validation=0.0, tolerance=0.01),
    VRNN: lambda model: MinibatchVI(500, 16, 1e-3, 1e-4),
    # stops as the methods were published with: spikes by relative change, choices by nats (Ashwood et al. 2022)
    HMMGLM: lambda model: EM(steps=300, tolerance=0.0, absolute=1e-4) if model.is_choice else EM(tolerance=1e-5),
}


@in_double
def fit(
    model: Model,
    recording: Any,
    prepare: Sequence[Step] = (),
    engine: Engine | None = None,
    seed: int = 0,
    *,
    run: Run | None = None,
) -> Fit:
    """What the model learns of a recording.

    Args:
        model: The model's choices, such as ``ARPHMM(n_states=4)``.
        recording: A Recording, or whatever :meth:`Recording.of` takes.
        prepare: Steps that learn from this recording, in order; they are kept and replayed on new recordings.
        engine: How to learn; None takes the model's default (EM for states, TwoStage for the DKF, Gibbs for clusters).
        seed: The same seed on the same machine gives the same result.
        run: Progress, checkpoints and resuming; nothing in it changes the result.

    Returns:
        The fit; after Ctrl-C what was reached until then, marked ``interrupted``.

    Raises:
        InputError: Data that the model cannot learn from; the message says where and what to do.
    """
    whole_number("seed", seed, 0)
    engine, run = _engine_for(model, engine), run or Run()
    ready = _ready(model, recording, prepare)
    identity = {"model": encode(model), "engine": encode(engine), "seed": seed, "data": ready.facts["fingerprint"]}
    identity |= {"knowledge": ready.facts["knowledge"], "inputs": digest(ready.selected.data), "versions": versions()}
    return _wrapped(model, engine, _train(model, engine, ready.selected, seed, run, identity), ready, seed)


@in_double
def fit_beside(
    models: Sequence[TrainsBeside],
    recording: Any,
    prepare: Sequence[Step] = (),
    engine: Engine | None = None,
    seeds: Sequence[int] = (0,),
    *,
    run: Run | None = None,
) -> list[Fit]:
    """Fits of models that differ in a few values alone, such as the PV-RNN's w: trained side by side by one program.

    Each is what :func:`fit` makes of the same model and seed, up to the rounding of single precision.

    Args:
        models: One for each seed.
        recording, prepare, engine, run: As of :func:`fit`; there are no checkpoints.

    Raises:
        InputError: Models that differ in more than what they may.
    """
    if not models or len(models) != len(seeds):
        raise InputError(f"one seed for each model is needed, got {len(models)} models and {len(seeds)} seeds")
    if len({type(model) for model in models}) > 1 or any(m.beside() != models[0].beside() for m in models):
        raise InputError("models that train side by side may differ only in the values that they name in beside()")
    first: Any = models[0]
    chosen = _engine_for(first, engine)
    if not isinstance(chosen, MinibatchVI):
        raise InputError(f"models train side by side by MinibatchVI, not by {type(chosen).__name__}")
    ready = _ready(first, recording, prepare)
    every = minibatch.run_beside(
        chosen, models, ready.selected.data, [key_of(seed) for seed in seeds], options=run or Run()
    )
    return [
        _wrapped(model, chosen, trained, ready, seed) for model, trained, seed in zip(models, every, seeds, strict=True)
    ]


class _Ready(NamedTuple):
    """What there is before an engine runs."""

    selected: Selected
    facts: dict[str, Any]
    warnings: tuple[str, ...]
    prepare: tuple[Step, ...]
    learned: tuple[Any, ...]


def _engine_for(model: Any, engine: Engine | None) -> Engine:
    engine = engine or DEFAULT_ENGINES[type(model)](model)
    if isinstance(model, Refuses) and type(engine).__name__ in model.unfit_engines:
        raise InputError(model.unfit_engines[type(engine).__name__])
    return engine


def _ready(model: Any, recording: Any, prepare: Sequence[Step]) -> _Ready:
    with warnings.catch_warnings(record=True) as caught:
        for kind in NOTICED:
            warnings.simplefilter("always", kind)
        applied, learned = learn_steps(Recording.of(recording), tuple(prepare))
        selected = model.select(applied.recording, for_training=True, use_knowledge=True)
    noticed = [w for w in caught if issubclass(w.category, NOTICED)]
    for other in [w for w in caught if w not in noticed]:
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    signal = model.signal_of(selected.recording)
    facts = facts_of(selected.recording, signal) | {"channels": applied.recording.signal(signal).names}
    return _Ready(selected, facts, tuple(str(w.message) for w in noticed), tuple(prepare), learned)


def _wrapped(model: Any, engine: Engine, trained: Trained, ready: _Ready, seed: int) -> Fit:
    result = Fit(
        model,
        engine,
        trained.params,
        trained.draws,
        idata=xr.DataTree(),
        converged=trained.converged,
        interrupted=trained.interrupted,
        warnings=(*ready.warnings, *trained.warnings),
        seed=seed,
        versions=versions(),
        facts=ready.facts,
        seconds={"compile": trained.compile_seconds, "run": trained.run_seconds},
        prepare=ready.prepare,
        learned=ready.learned,
    )
    return result.with_groups(groups(model, trained, ready.selected, result.latents(ready.selected)))


def _train(model: Model, engine: Engine, selected: Selected, seed: int, run: Run, identity: dict[str, Any]) -> Trained:
    key = key_of(seed)
    if isinstance(engine, EM) and isinstance(model, HasEMStep):
        return em.run(engine, model, selected.data, key, options=run, identity=identity)
    if isinstance(engine, NUTS) and isinstance(model, HasDensity):
        return nuts.run(engine, model, selected.data, key, options=run, identity=identity)
    if isinstance(engine, SVI) and isinstance(model, HasDensity):
        return svi.run(engine, model, selected.data, key, options=run, identity=identity)
    if isinstance(engine, MinibatchVI) and isinstance(model, HasBound):
        return minibatch.run(engine, model, selected.data, key, options=run, identity=identity)
    if isinstance(engine, Gibbs) and isinstance(model, HasGibbs):
        return gibbs.run(engine, model, selected.data, key, options=run, identity=identity)
    if isinstance(engine, TwoStage) and isinstance(model, HasTwoStages):
        return twostage.run(engine, model, selected.data, key)
    raise InputError(f"{type(model).__name__} cannot be fitted by {type(engine).__name__}")
