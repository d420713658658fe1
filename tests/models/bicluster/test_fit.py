"""The model behind the one entrance: a small population, its files, its refusals, its truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.models.bicluster import BiclusterParams, summaries
from neurolatent.models.bicluster.draws import alike, renumbered
from neurolatent.models.bicluster.likelihood import log_rate
from neurolatent.models.bicluster.synthetic import bicluster_case, truth_of
from neurolatent.models.protocols import ModelWarning
from neurolatent.recipe.clusters import cluster_figures
from tests.models.bicluster.small import SHORT, case, population, population_model


def counts_of(values: np.ndarray, **options) -> nl.Recording:
    return nl.Recording.of({"spikes": values}, kinds={"spikes": "counts"}, name="test", **options)


@pytest.fixture(scope="module")
def with_options() -> nl.Fit:
    """Poisson counts, labels in turn and concentrations drawn, in one fit: each choice alone would compile anew."""
    model = population_model(family="poisson", update_hdp=True, labels="collapsed")
    return nl.fit(model, population("poisson"), engine=SHORT, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["nb", "poisson"])
def test_a_fit_is_saved_read_and_the_same_again(tmp_path, family, request):
    recording = population(family)
    if family == "nb":
        fit = nl.fit(population_model(), recording, engine=SHORT, seed=1)
    else:
        fit = request.getfixturevalue("with_options")
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    for one, two in zip(fit.draws, again.draws, strict=True):
        np.testing.assert_array_equal(one, two)
    assert again.predict(recording).identical(fit.predict(recording))
    assert fit.idata["posterior"]["trajectories"].dims == ("chain", "draw", "cluster", "bin", "coordinate")
    assert fit.idata["sample_stats"]["n_clusters"].shape == (2, 20)
    np.testing.assert_array_equal(fit.draws.label[..., 0], 0)  # numbered as they occur
    each = [BiclusterParams(*(jnp.asarray(leaf[at]) for leaf in fit.draws)) for at in np.ndindex(2, 10)]
    eta = np.mean([log_rate(draw) for draw in each], axis=0)
    np.testing.assert_allclose(fit.idata["latents"]["log_rate_mean"].values.T, eta, rtol=1e-4, atol=1e-4)
    rows = {row.what for row in nl.check(fit).rows}
    assert "chains agree on states of bins (ARI)" in rows


@pytest.mark.slow
def test_labels_in_turn_and_drawn_concentrations_go_through_a_fit(tmp_path, with_options):
    fit = with_options
    drawn = fit.idata["posterior"]["concentrations"]
    assert drawn.dims == ("chain", "draw", "concentration")
    assert drawn["concentration"].values.tolist() == ["alpha", "gamma", "kappa"]
    assert len(np.unique(drawn.values)) == drawn.size
    told = fit.idata["sample_stats"]["log_kappa"].values[:, 1::2]  # every second draw is kept
    np.testing.assert_allclose(told, np.log(drawn.sel(concentration="kappa").values), rtol=1e-6)
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    assert again.model == fit.model
    np.testing.assert_array_equal(again.draws.concentrations, fit.draws.concentrations)
    assert (fit.idata["sample_stats"]["moved_labels"].values > 0).any()


@pytest.mark.parametrize(
    ("bound", "part"),
    [
        pytest.param("max_states", "state", marks=pytest.mark.slow),
        pytest.param("max_clusters", "label", marks=pytest.mark.record),
    ],
)
def test_one_state_or_one_cluster_can_be_asked_for(bound, part):
    recording = population()
    fit = nl.fit(population_model(**{bound: 1}), recording, engine=SHORT, seed=1)
    assert (np.asarray(getattr(fit.draws, part)) == 0).all()
    figures = cluster_figures(fit, recording)
    assert figures["states.mode" if part == "state" else "clusters.mode"] == 1.0
    assert np.isfinite(list(figures.values())).all()
    told = {row.what: row for row in nl.check(fit).rows}
    name = "states" if part == "state" else "clusters"
    assert told[f"share of draws with all {name} in use"].verdict == "pass"  # the bound is meant


def test_draws_of_a_file_without_concentrations_have_those_of_the_model():
    params, model = case(0)[0], population_model(alpha=3.0)
    parts = {name: np.stack([leaf] * 2)[None] for name, leaf in params._asdict().items() if name != "concentrations"}
    read = model.params_from(parts)
    np.testing.assert_array_equal(read.concentrations, np.broadcast_to([3.0, 5.0, 10.0], (1, 2, 3)))
    np.testing.assert_array_equal(read.label, parts["label"])


def test_renumbering_changes_no_rate_and_no_law():
    params, _ = case(0)
    shuffled = params._replace(label=np.array([2, 2, 1, 2]), state=1 - params.state)
    shuffled = shuffled._replace(trajectories=params.trajectories[[2, 1, 0]])
    stacked = BiclusterParams(*(np.asarray(leaf)[None, None] for leaf in shuffled))
    told = renumbered(stacked)
    np.testing.assert_array_equal(told.label[0, 0], [0, 0, 1, 0])
    np.testing.assert_array_equal(told.state[0, 0], params.state)
    assert told.trajectories.shape[2] == 2
    one = BiclusterParams(*(leaf[0, 0] for leaf in told))
    one, params = (jax.tree.map(jnp.asarray, draw) for draw in (one, params))
    np.testing.assert_allclose(log_rate(one), log_rate(params), rtol=1e-5, atol=1e-6)
    at, now = shuffled.state, np.asarray(one.state)
    for name in ("transition", "shift", "innovation"):
        before, after = getattr(shuffled, name), getattr(one, name)
        for i in range(4):
            np.testing.assert_array_equal(after[now, one.label[i]], np.float32(before[at, shuffled.label[i]]))
    np.testing.assert_array_equal(one.jumps[now[:-1], now[1:]], np.float32(shuffled.jumps[at[:-1], at[1:]]))
    np.testing.assert_array_equal(one.weights[now], np.float32(shuffled.weights[at]))


def test_packed_draws_do_not_depend_on_how_they_were_cut():
    """Two draws with two clusters and one with three, together and apart; empty slots hold what must not be kept."""
    params = [case(n)[0] for n in range(3)]
    params[1] = params[1]._replace(label=np.array([2, 1, 0, 2], np.int32))
    params = [one._replace(trajectories=one.trajectories + 3.0) for one in params]
    stacked = BiclusterParams(*(np.stack(parts) for parts in zip(*params, strict=True)))
    whole = renumbered(stacked)
    parts = alike([renumbered(jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], stacked)) for n in range(3)])
    none = renumbered(jax.tree.map(lambda leaf: leaf[:0], stacked))
    assert none.trajectories.shape == (0, 0, *stacked.trajectories.shape[2:])
    joined = BiclusterParams(*(np.concatenate(parts) for parts in zip(*alike([none, *parts]), strict=True)))
    for name, one, other in zip(whole._fields, whole, joined, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert whole.trajectories.shape[1] == 3
    for name, axis in (("trajectories", 1), ("transition", 2), ("shift", 2), ("innovation", 2)):
        beyond = np.moveaxis(getattr(whole, name), axis, 1)[[0, 2], 2]
        np.testing.assert_array_equal(beyond, 0.0)
        assert np.moveaxis(getattr(whole, name), axis, 1)[1, 2].any()


def test_the_simulation_keeps_its_rates_when_it_is_centred_and_turned():
    truth = truth_of(3, bins=80)
    factors = truth.trajectories[..., 1:]
    np.testing.assert_allclose(truth.trajectories.mean(axis=1), 0.0, atol=1e-12)
    for path in factors:
        gram = path.T @ path
        np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0.0, atol=1e-9 * np.trace(gram))
    radius = np.abs(np.linalg.eigvals(truth.transition)).max(axis=-1)
    np.testing.assert_allclose(radius, [[0.01] * 3, [1.01] * 3], rtol=1e-10)
    recording = bicluster_case(3, bins=80)
    np.testing.assert_allclose(recording.signal("log_rate").values, truth.log_rate.T)
    assert recording.signal("spikes").channels["cluster"].tolist() == truth.label.tolist()
    assert {0, 1} >= set(np.unique(recording.signal("state").values).tolist())


def test_summaries_do_not_see_labels_and_band_is_the_narrowest():
    truth = np.repeat([0, 1], 3)
    label = np.stack([[truth, 1 - truth, truth], [1 - truth, truth, truth]]).astype(np.int16)
    paths = np.zeros((2, 3, 2, 5, 2))
    for c, d in np.ndindex(2, 3):
        for block in range(2):
            cluster = label[c, d, 3 * block]
            paths[c, d, cluster, :, 0] = block * np.arange(5)
            paths[c, d, cluster, :, 1] = (-1) ** d * np.sin(np.arange(5))
    none = np.zeros((2, 3, 1))
    draws = BiclusterParams(label, label[..., :5], none, none, none, paths, none, none, none, none, none, none)
    found = summaries.neurons(draws)
    np.testing.assert_array_equal(found.partition, truth)
    assert found.agreement == 1.0
    np.testing.assert_array_equal(found.together, truth[:, None] == truth[None])
    told = summaries.aligned(draws, found.partition)
    for block in range(2):
        np.testing.assert_allclose(told.paths[:, block, :, 0], np.tile(block * (np.arange(5) - 2.0), (6, 1)))
        assert np.ptp(told.paths[:, block, :, 1], axis=0).max() < 1e-12
    low, high = summaries.Aligned(np.arange(20.0).reshape(20, 1, 1, 1) ** 2).band(0.5)
    assert (low.item(), high.item()) == (0.0, 81.0)
    assert summaries.agreement(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 2])) == 0.75


GOOD = np.random.default_rng(0).poisson(2.0, (30, 4))


@pytest.mark.parametrize(
    ("recording", "choices", "message"),
    [
        (counts_of(GOOD[:, :1]), {}, "1 neuron; at least 2"),
        (counts_of(GOOD[:9]), {}, "9 bins; at least 10"),
        (counts_of(GOOD), {"n_factors": 4}, "n_factors must be below the number of neurons"),
        (counts_of(GOOD), {"max_clusters": 5}, "max_clusters must be at most the number of neurons"),
        (counts_of(np.tile(GOOD, 3)), {"n_factors": 8, "law_precision": 0.02}, "prior's laws of motion are stable"),
        (counts_of(np.tile(GOOD, 4)[:12]), {"n_factors": 12}, r"neurons \(16\) and that of bins \(12\), got 12"),
        (counts_of(np.stack([GOOD, GOOD], axis=2)), {}, r"counts must be \(bins, neurons\), got shape \(30, 4, 2\)"),
        (counts_of([GOOD, GOOD]), {}, "2 sequences"),
        (nl.Recording.of({"rate": GOOD.astype(float)}), {}, "0 signals are counts"),
        (nl.Recording.of({"rate": GOOD.astype(float)}), {"signal": "rate"}, "counts are needed"),
        (counts_of(np.where(np.arange(4) == 1, np.nan, GOOD)), {}, "nothing was observed of '1'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(recording, choices, message):
    with pytest.raises(InputError, match=message):
        population_model(**choices).select(recording, for_training=True)


def spoiled(value: float) -> np.ndarray:
    """Counts with one other number among them."""
    counts = GOOD.astype(float)
    counts[3, 2] = value
    return counts


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (spoiled(-1.0), {}, "channel 2, sample 3: the value is -1.0, but kind 'counts' holds whole numbers"),
        (spoiled(0.5), {}, "channel 2, sample 3: the value is 0.5, but kind 'counts' holds whole numbers"),
        (spoiled(np.inf), {}, "channel 2, sample 3: the value is inf"),
        (GOOD, {"channels": {"spikes": pd.DataFrame({"area": list("aba")})}}, "3 channel names for 4 channels"),
        (GOOD, {"times": np.r_[np.arange(29), 29.4]}, "The models need an even clock"),
    ],
)
def test_what_are_no_counts_of_even_bins_is_refused_with_its_place(values, options, message):
    with pytest.raises(InputError, match=message):
        counts_of(values, **options)


def test_whole_numbers_as_floats_are_counts():
    floats, whole = (
        population_model().select(counts_of(v), for_training=True).data for v in (GOOD.astype(float), GOOD)
    )
    np.testing.assert_array_equal(floats.counts, whole.counts)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (GOOD * (np.arange(4) != 2), r"test, signal spikes: 2 \(1 neurons\) are silent"),
        (np.where(np.arange(4) == 1, np.arange(30)[:, None] == 7, GOOD), r"1 \(1 neurons\) are rare .*0\.0333"),
        (spoiled(1001), "up to 1001 events in a bin"),
    ],
)
def test_counts_that_tell_little_or_take_long_are_told(values, message):
    with pytest.warns(ModelWarning, match=message):
        population_model().select(counts_of(values), for_training=True)


def test_draws_say_nothing_of_other_bins_or_neurons():
    params, data = case(0)
    shorter = jax.tree.map(lambda leaf: leaf[:, :-1], data)
    for told in (
        population_model().posterior,
        population_model().log_likelihood,
        population_model().entry_log_probability,
    ):
        with pytest.raises(InputError, match="draws are of 4 neurons in 7 bins, the recording has 4 in 6"):
            told(params, shorter)


def test_missing_counts_are_not_zeros():
    values = np.ma.masked_array(GOOD, mask=np.zeros(GOOD.shape, bool))
    values[3, 1] = np.ma.masked
    data = population_model().select(counts_of(values), for_training=True).data
    assert data.seen[1, 3] == 0
    assert data.seen.sum() == GOOD.size - 1
    np.testing.assert_array_equal(data.above.sum(axis=1), data.counts.sum(axis=1))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"rho": 1.0}, "rho must lie strictly between 0 and 1"),
        ({"rho": 0.0}, "rho must lie strictly between 0 and 1"),
        ({"max_states": 0}, "max_states must be a whole number of at least 1"),
        ({"max_clusters": 0}, "max_clusters must be a whole number of at least 1"),
        ({"law_precision": -0.1}, "law_precision must be a number above 0"),
        ({"kappa": -1.0}, "kappa must be at least 0"),
        ({"alpha": 0.0}, "alpha must be a number above 0"),
        ({"n_factors": 0}, "n_factors must be a whole number of at least 1"),
    ],
)
def test_contradictory_choices_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        population_model(**choices)


def test_areas_and_other_facts_stay_with_the_neurons():
    facts = pd.DataFrame({"area": list("abab")}, index=[f"n{i}" for i in range(4)])
    recording = counts_of(GOOD, channels={"spikes": facts})
    assert population_model().coordinates(recording)["neuron"] == ["n0", "n1", "n2", "n3"]
    assert recording.signal("spikes").channels["area"].tolist() == list("abab")
