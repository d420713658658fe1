"""Laws that every model keeps, over a table of laws and models; an exemption is an entry with its reason."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import EM, MinibatchVI, TwoStage
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.bicluster.simulate import prior_draw
from neurolatent.models.dkf import DKF
from neurolatent.models.hmmglm.params import permuted
from neurolatent.models.pvrnn import Symbols
from neurolatent.recording import Recording, knowledge
from tests.models.arphmm import twin
from tests.models.bicluster.small import SHORT, population, population_model
from tests.models.dkf import recordings as dkf_recordings
from tests.models.gpvae import recordings as gpvae_recordings
from tests.models.hmmglm import twin as hmmglm_twin
from tests.models.pvrnn import recordings as pvrnn_recordings


class Subject(NamedTuple):
    """What a law needs to know of a model."""

    model: Any
    params: Any
    lengths: tuple[int, ...]
    scaled: Callable[[Any, float], Any]  # parameters of data in another unit
    relabelled: Callable[[Any, np.ndarray], Any]
    engine: Any = EM(steps=3, start="random", restarts=1)
    made: Callable[[], Recording] | None = None  # where the model cannot simulate
    belief: str = "filtered"  # what its stream gives, by the name that it has in the batch


def scaled_arphmm(params: ARPHMMParams, c: float) -> ARPHMMParams:
    coefficients = params.coefficients.copy()
    coefficients[..., -1] *= c
    return params._replace(coefficients=coefficients, covariance=params.covariance * c**2)


def relabelled_arphmm(p: ARPHMMParams, order: np.ndarray) -> ARPHMMParams:
    transition = p.transition[np.ix_(order, order)]
    return ARPHMMParams(p.initial[order], transition, p.advance[order], p.coefficients[order], p.covariance[order])


def arphmm(**fields: Any) -> Callable[[], Subject]:
    def make() -> Subject:
        model = ARPHMM(**fields)
        return Subject(model, twin.random_params(1, model, 2), (30, 17, 24), scaled_arphmm, relabelled_arphmm)

    return make


def hmmglm(name: str) -> Callable[[], Subject]:
    def unscalable(params: Any, c: float) -> Any:
        raise AssertionError("counts and choices have no unit")

    def make() -> Subject:
        return Subject(hmmglm_twin.MODELS[name], hmmglm_twin.random_params(name), (30, 17, 24), unscalable, permuted)

    return make


def dkf(**choices: Any) -> Callable[[], Subject]:
    def nothing(params: Any, other: Any) -> Any:
        raise AssertionError("there are no states, and the evidence has no unit")

    def make() -> Subject:
        fit, lengths = dkf_recordings.fitted(**choices), (130, 77, 104)
        seen = functools.partial(dkf_recordings.with_gaps, dkf_recordings.simulated(3, lengths))
        return Subject(fit.model, fit.params, lengths, nothing, nothing, TwoStage(state_draws=3), seen, "filtered_mean")

    return make


def gpvae(**choices: Any) -> Callable[[], Subject]:
    def nothing(params: Any, other: Any) -> Any:
        raise AssertionError("there are no states, and counts have no unit")

    def make() -> Subject:
        model, params = gpvae_recordings.random_params(**choices)
        seen = functools.partial(gpvae_recordings.with_gaps, model, params, (30, 17, 24))
        return Subject(model, params, (30, 17, 24), nothing, nothing, MinibatchVI(epochs=4), seen)

    return make


def pvrnn(**choices: Any) -> Callable[[], Subject]:
    def nothing(params: Any, other: Any) -> Any:
        raise AssertionError("there are no states, and a loss of codes or of unit variance has no unit")

    def make() -> Subject:
        fit = pvrnn_recordings.fitted(**choices)
        seen = functools.partial(pvrnn_recordings.recording, fit.model, (12, 9, 11))
        return Subject(fit.model, fit.params, (12, 9, 11), nothing, nothing, pvrnn_recordings.ENGINE, seen)

    return make


def biclustering(family: str) -> Callable[[], Subject]:
    def nothing(params: Any, other: Any) -> Any:
        raise AssertionError("counts have no unit, and its labels are permuted elsewhere")

    def seen() -> Recording:
        return population(family).hide("spikes", 0.1, seed=3)

    def make() -> Subject:
        model = population_model(family=family)
        with precision.double():
            params = jax.device_get(prior_draw(model, jax.random.key(1), 9, 40))
        return Subject(model, params, (40,), nothing, nothing, SHORT, seen)

    return make


MODELS: dict[str, Callable[[], Subject]] = {
    "arphmm": arphmm(n_states=3, order=2, transitions="ergodic", signal="signal"),
    "arphmm, left to right": arphmm(n_states=3, order=1, n_substates=2, covariance="diag", signal="signal"),
    "arphmm, padded start": arphmm(n_states=2, order=1, first="pad", transitions="ergodic", signal="signal"),
    "hmmglm, counts": hmmglm("counts, softplus"),
    "hmmglm, choices": hmmglm("choices, lapses"),
    "biclustering, counts with a dispersion": biclustering("nb"),
    "biclustering, Poisson": biclustering("poisson"),
    "dkf": dkf(),
    "dkf, local noise": dkf(noise="nw", start="first", bins_before=1),
    "dkf, robust": dkf(robust=True),
    "gpvae, spikes": gpvae(n_neural=2),
    "gpvae, behaviour": gpvae(n_behaviour=1),
    "gpvae, both": gpvae(n_neural=1, n_shared=1, n_behaviour=1),
    "pvrnn, values": pvrnn(),
    "pvrnn, symbols": pvrnn(likelihood=Symbols(3), posterior_form="free"),
    "pvrnn, vrnn": pvrnn(units=5, latent=2, width=6),
}

LONG = {
    "biclustering, Poisson",
    "biclustering, counts with a dispersion",
    "gpvae, behaviour",
    "gpvae, both",
    "pvrnn, symbols",
    "pvrnn, values",
    "pvrnn, vrnn",
}  # networks and sweeps take long to compile

EXEMPT: dict[tuple[str, str], str] = {
    ("permuting labels changes nothing", "arphmm, left to right"): "its states are told apart by their order",
    ("another unit shifts the density", "hmmglm, counts"): "counts have no unit",
    ("another unit shifts the density", "hmmglm, choices"): "choices have no unit",
    ("the prior moves with the unit", "hmmglm, counts"): "counts have no unit",
    ("the prior moves with the unit", "hmmglm, choices"): "choices have no unit",
}
NOT_DKF = {
    "the program's density is the engine's": "it is that of known states, and proved in dkf/test_state_prior.py",
    "permuting labels changes nothing": "it has no states",
    "another unit shifts the density": "its evidence is relative to the density of the inputs",
    "the prior moves with the unit": "its EM has no prior; its units are in dkf/test_retuning.py",
    "a saved fit forecasts the same": "it has no forecast; its stream tells the coming bins",
}
NOT_GPVAE = {
    "the program's density is the engine's": "it has a bound; its program is proved in gpvae/test_bound.py",
    "permuting labels changes nothing": "it has no states",
    "another unit shifts the density": "counts have no unit, and behaviour is not alone",
    "the prior moves with the unit": "it has no EM",
    "the stream is the batch": "it reads a trial as a whole",
    "a saved fit forecasts the same": "it has no forecast",
}
EXEMPT |= {(words, name): why for words, why in NOT_GPVAE.items() for name in MODELS if name.startswith("gpvae")}
EXEMPT["masking a whole sequence removes it", "gpvae, both"] = "masking the neurons leaves behaviour to be told"
NOT_PVRNN = {
    "the program's density is the engine's": "it has a bound; its program is proved in pvrnn/test_program.py",
    "permuting labels changes nothing": "it has no states",
    "another unit shifts the density": "its loss has no unit",
    "the prior moves with the unit": "it has no EM",
    "the stream is the batch": "its stream foresees, its batch looks back; proved in pvrnn/test_stream.py",
    "a saved fit forecasts the same": "it foresees every step; proved in pvrnn/test_stream.py",
}
NOT_BICLUSTERING = {
    "the program's density is the engine's": "the engine has laws integrated out; proved in bicluster/test_program.py",
    "masking a whole sequence removes it": "it has one sequence",
    "permuting labels changes nothing": "its labels are of clusters, too; proved in bicluster/test_fit.py",
    "another unit shifts the density": "counts have no unit",
    "the prior moves with the unit": "counts have no unit",
    "the stream is the batch": "it reads a recording as a whole",
    "a saved fit forecasts the same": "it has no forecast",
}
EXEMPT |= {
    (words, name): why for words, why in NOT_BICLUSTERING.items() for name in MODELS if name.startswith("biclustering")
}
EXEMPT |= {(words, name): why for words, why in NOT_PVRNN.items() for name in MODELS if name.startswith("pvrnn")}
EXEMPT |= {(words, name): why for words, why in NOT_DKF.items() for name in MODELS if name.startswith("dkf")}


@functools.cache
def subject(name: str) -> Subject:
    return MODELS[name]()


@functools.cache
def recording(name: str) -> Recording:
    """Simulated, with missing samples and knowledge."""
    it = subject(name)
    if it.made is not None:
        return it.made()
    made = it.model.simulate(it.params, jax.random.key(2), it.lengths)
    made = made.select(*[signal for signal in made.signals if signal != "state"])
    rng = np.random.default_rng(3)
    whole = made.signal(it.model.signal)
    keep = np.ones(whole.values.shape, bool)
    keep[rng.random(len(keep)) < 0.1] = False
    made = made.with_signal(it.model.signal, whole.masked(keep))
    return made.with_knowledge(knowledge.plausibility(rng.uniform(0.3, 1.0, (made.n_samples, it.model.n_states))))


def observed_signal(name: str) -> str:
    """The signal that the evidence is of."""
    model = subject(name).model
    return model.inputs_of(recording(name)) if isinstance(model, DKF) else model.signal_of(recording(name))


def evidence(name: str, of: Recording, params: Any = None) -> np.ndarray:
    it = subject(name)
    with precision.double():
        data = it.model.select(of, for_training=False, use_knowledge=True).data
        return np.asarray(it.model.log_likelihood(it.params if params is None else params, data))


def law(words: str) -> Callable[[Callable], Callable]:
    """A test over all models but the exempted ones, which must be in the table."""

    def mark(function: Callable) -> Callable:
        names = [name for name in MODELS if (words, name) not in EXEMPT]
        slow = {name: (pytest.mark.slow,) if name in LONG else () for name in names}
        return pytest.mark.parametrize("name", [pytest.param(n, marks=slow[n], id=n) for n in names])(function)

    return mark


def test_exemptions_have_a_reason_and_a_subject():
    assert all(reason and name in MODELS for (_, name), reason in EXEMPT.items())


@functools.partial(jax.jit, static_argnums=0)
def both_densities(model: Any, data: Any, sites: dict[str, Any], like: Any) -> tuple[Any, Any]:
    """Log density of the program at its sites, and the engine's at the parameters that it computes from them."""
    total, trace = log_density(model.numpyro_model, (data,), {}, sites)
    kind = type(like)
    params = kind(*(trace[field]["value"] for field in kind._fields))
    return total, model.log_likelihood(params, data).sum() + model.log_prior(params, data)


@functools.partial(jax.jit, static_argnums=0)
def update(model: Any, params: Any, data: Any) -> Any:
    return model.em_step(params, data, use_prior=True)


@law("the program's density is the engine's")
def test_numpyro_density_is_the_engines(name):
    it = subject(name)
    with precision.double():
        data = it.model.select(recording(name), for_training=True, use_knowledge=True).data
        start = it.model.unconstrained_start(it.params, data)
        data = jax.tree.map(jnp.asarray, data)
        total, own = both_densities(it.model, data, start, it.params)
        np.testing.assert_allclose(total, own, rtol=1e-10)


@law("simulated data have a finite density")
def test_simulated_data_have_a_finite_density(name):
    assert np.isfinite(evidence(name, recording(name))).all()


@law("masking a whole sequence removes it")
def test_masking_a_whole_sequence_removes_it(name):
    made = recording(name).with_knowledge(knowledge.Knowledge())
    signal = observed_signal(name)
    whole = made.signal(signal)
    keep = np.ones(whole.values.shape, bool)
    keep[made.slices()[1]] = False
    masked = evidence(name, made.with_signal(signal, whole.masked(keep)))
    np.testing.assert_allclose(masked, evidence(name, made) * [1, 0, 1], atol=1e-12)


@law("sequences add up, and padding changes nothing")
def test_each_sequence_alone_gives_the_same(name):
    made = recording(name)
    alone = [evidence(name, made.take(i))[0] for i in made.ids]
    np.testing.assert_allclose(evidence(name, made), alone, rtol=1e-8)


@law("permuting labels changes nothing")
def test_permuting_labels_changes_nothing(name):
    it, made = subject(name), recording(name)
    order = np.roll(np.arange(it.model.n_states), 1)
    moved = made.with_knowledge(knowledge.plausibility(made.knowledge.plausibilities[0][:, order]))
    params = it.relabelled(it.params, order)
    np.testing.assert_allclose(evidence(name, moved, params), evidence(name, made), rtol=1e-12)


@law("another unit shifts the density")
def test_another_unit_shifts_the_density_by_its_logarithm(name):
    it, made, c = subject(name), recording(name), 1e3
    whole = made.signal("signal")
    values = whole.values * c
    other = made.with_signal("signal", type(whole)(values, whole.kind, whole.channels, whole.units, whole.observed))
    with precision.double():
        data = it.model.select(made, for_training=False, use_knowledge=True).data
    shift = np.sum(data.usable, axis=1) * values.shape[1] * np.log(c)
    np.testing.assert_allclose(evidence(name, other, it.scaled(it.params, c)), evidence(name, made) - shift, rtol=1e-10)


@law("the prior moves with the unit")
def test_the_fit_does_not_depend_on_the_unit(name):
    it, made, c = subject(name), recording(name), 1e3
    whole = made.signal("signal")
    other = made.with_signal("signal", type(whole)(whole.values * c, "continuous", whole.channels, "", whole.observed))
    with precision.double():
        steps = []
        for of, params in ((made, it.params), (other, it.scaled(it.params, c))):
            data = jax.tree.map(jnp.asarray, it.model.select(of, for_training=True, use_knowledge=True).data)
            device = type(params)(*map(jnp.asarray, params))
            steps.append(jax.device_get(update(it.model, device, data).params))
    for want, got in zip(it.scaled(steps[0], c), steps[1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9 * np.abs(want).max())


@law("the stream is the batch")
def test_stream_is_the_batch_filter(name):
    it = subject(name)
    made = recording(name).take(recording(name).ids[0])
    with precision.double():
        selected = it.model.select(made, for_training=False, use_knowledge=False)
        batch = np.asarray(it.model.posterior(it.params, selected.data).along_time[it.belief])[0]
    state, stream = it.model.filter_start(it.params), []
    signal = made.signal(observed_signal(name))
    for number, sample in enumerate(np.where(signal.observed, signal.values, np.nan)):
        outside = {n: made.signal(n).values[number] for n in ("covariates",) if n in made.signals}
        state, belief = it.model.filter_step(it.params, state, sample, **outside)
        stream.append(belief)
    kept = len(stream) - selected.skipped
    np.testing.assert_allclose(stream[selected.skipped :], batch[:kept], atol=1e-12)


def preparation(model: Any) -> list[Any]:
    """Counts and choices are not scaled."""
    return [nl.Standardise()] if isinstance(model, ARPHMM) else []


@functools.cache
def saved(name: str) -> tuple[nl.Fit, nl.Fit]:
    """A fit, and the same from its file."""
    it, made = subject(name), recording(name)
    fit = nl.fit(it.model, made, prepare=preparation(it.model), engine=it.engine)
    with tempfile.TemporaryDirectory() as folder:
        return fit, nl.Fit.load(fit.save(Path(folder) / "fit.nc"))


@law("a saved fit predicts the same")
def test_a_saved_fit_predicts_the_same_numbers(name):
    (fit, again), made = saved(name), recording(name)
    assert fit.predict(made).identical(again.predict(made))
    assert fit.score(made).identical(again.score(made))


@law("a saved fit forecasts the same")
def test_a_saved_fit_forecasts_the_same_numbers(name):
    (fit, again), made = saved(name), recording(name)
    assert fit.forecast(made, 3, seed=1, n_paths=20).identical(again.forecast(made, 3, seed=1, n_paths=20))
