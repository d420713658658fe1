"""The key ``hide`` of [test]: entries that the fit is not shown, and how well it tells them."""

import json

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recipe import Recipe
from neurolatent.recipe.folder import write_text
from neurolatent.recipe.plan import plan_of


def recipe(tmp_path, **sections) -> Recipe:
    table = {
        "data": {"simulate": {"name": "bicluster_case", "seed": 1, "per_cluster": 3, "bins": 40, "factors": 1}},
        "model": {"name": "biclustering", "n_factors": 1, "max_states": 3, "max_clusters": 4},
        "engine": {"name": "gibbs", "chains": 2, "warmup": 20, "draws": 20, "keep": 10},
        **sections,
    }
    return Recipe("r", table, tmp_path)


def test_hidden_entries_are_those_of_the_share_and_the_seed(tmp_path):
    parts = plan_of(recipe(tmp_path, test={"hide": {"share": 0.1, "seed": 3}})).parts
    assert parts.whole is not None
    whole, shown = (r.signal("spikes") for r in (parts.whole, parts.recording))
    assert whole.observed.all()
    np.testing.assert_array_equal(shown.observed, parts.whole.hide("spikes", 0.1, seed=3).signal("spikes").observed)
    assert 0.05 < 1 - shown.observed.mean() < 0.15
    np.testing.assert_array_equal(parts.recording.signal("state").values, parts.whole.signal("state").values)


def test_without_the_key_nothing_is_hidden(tmp_path):
    parts = plan_of(recipe(tmp_path)).parts
    assert parts.whole is None
    assert parts.recording.signal("spikes").observed.all()


@pytest.mark.parametrize(
    ("hide", "message"),
    [
        ({"share": 1.0}, "share must lie strictly between 0 and 1, got 1.0"),
        ({"share": 0.1, "seed": -1}, "seed must be a whole number"),
        ({"fraction": 0.1}, r"\[test\] hide: unknown key 'fraction'"),
        (0.1, r"\[test\] hide: a table is expected, got 0.1"),
    ],
)
def test_other_shares_and_words_are_refused(tmp_path, hide, message):
    with pytest.raises(InputError, match=message):
        plan_of(recipe(tmp_path, test={"hide": hide}))


@pytest.mark.slow
def test_a_run_tells_bits_of_what_was_hidden(tmp_path, call):
    """In its figures and on its page, which is written again from what the run keeps."""
    written = write_text(tmp_path / "r.toml", recipe(tmp_path, test={"hide": {"share": 0.1}}).to_toml())
    run = tmp_path / "run"
    figures = json.loads(call("fit", written, "--out", run, "--json")[1])["figures"]
    assert figures["heldout.entries"] == pytest.approx(36, abs=15)
    assert figures["heldout.bits_per_spike_low"] <= figures["heldout.bits_per_spike"]
    assert figures["heldout.bits_per_spike"] <= figures["heldout.bits_per_spike_high"]
    said = f"{figures['heldout.entries']:.0f} counts, chosen at random, were hidden from the fit"
    assert said in (run / "report.html").read_text("utf-8")
    (run / "report.html").unlink()
    assert call("report", run)[0] == 0
    assert said in (run / "report.html").read_text("utf-8")
    (run / "entries.csv").unlink()
    call("report", run)
    assert said not in (run / "report.html").read_text("utf-8")
