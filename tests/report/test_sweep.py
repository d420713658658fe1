"""The page of a sweep tells medians, spread and what went wrong where, and the picture has a panel for each figure."""

import numpy as np
import pytest

from neurolatent.comparison import Sweep
from neurolatent.plots.sweep import panels_of, sweep_figure
from neurolatent.report import write_sweep_report


def swept(**other) -> Sweep:
    """Two weights by three seeds of a network of two layers; the upper one collapses under the larger weight."""
    points, figures = [], []
    for w in (0.01, 1.0):
        for seed in range(3):
            points.append({"model.w": w, "seed": seed, **other})
            kl = {"kl.1": 5.0 + seed, "kl.2": 2.0 if w < 1 else 1e-4}
            flags = {"collapsed.1": 0.0, "collapsed.2": float(w == 1), "collapsed": float(w == 1)}
            settled = {"converged": float(seed > 0)}
            figures.append({"loglik": -1.0, "rec": w + seed, "beta.1": 2 * w, "beta.2": w, **kl, **flags, **settled})
    return Sweep(tuple(points), tuple(figures))


def test_a_panel_holds_all_layers_of_a_figure():
    found = {panel.name: panel.figures for panel in panels_of(swept())}
    assert found == {"rec": {"rec": "rec"}, "kl": {"layer 1": "kl.1", "layer 2": "kl.2"}}
    plain = Sweep(({"model.n": 1}, {"model.n": 2}), ({"loglik": 1.0}, {"loglik": 2.0}))
    assert [panel.name for panel in panels_of(plain)] == ["loglik"]


def test_curves_are_medians_over_seeds_and_axes_fit_their_range():
    rec, kl = sweep_figure(swept()).axes
    np.testing.assert_allclose(rec.lines[0].get_xydata(), [[0.01, 1.01], [1.0, 2.0]])
    np.testing.assert_allclose(kl.lines[1].get_ydata(), [2.0, 1e-4])
    assert (rec.get_yscale(), kl.get_yscale()) == ("log", "log")
    assert len({line.get_linestyle() for line in kl.lines}) == 2  # told apart without colours
    assert [t.get_text() for t in kl.get_legend().get_texts()] == ["layer 1", "layer 2"]


def test_other_keys_make_curves_of_their_own():
    other = swept(use="soft")
    both = Sweep(other.points + swept(use="hard").points, other.figures * 2)
    names = [t.get_text() for t in sweep_figure(both).axes[1].get_legend().get_texts()]
    assert names == ["layer 1, use soft", "layer 1, use hard", "layer 2, use soft", "layer 2, use hard"]


def test_the_page_tells_medians_spread_and_collapse(tmp_path):
    sweep = swept(**{"engine.epochs": 1500})
    text = write_sweep_report(sweep, tmp_path / "report.html", title="Weights", recipe="seed = 0").read_text()
    for words in (
        "<title>Weights</title>",
        "6 fits over 2 values of meta-prior w, 3 seeds, epochs 1500",
        "4 of 6 fits settled",
        "1.01 (0.01 to 2.01)",  # reconstruction at w = 0.01
        "Layer 2 collapsed, its latents tell nothing: w = 1, epochs = 1500 (3 of 3).",
        "ended: w = 0.01, epochs = 1500 (1 of 3); w = 1, epochs = 1500 (1 of 3).",
        "6 (5 to 7)",  # divergence of the lower layer
        "by layer, the lowest first",
        "Divergence (nats per sequence) along meta-prior w. layer 1: 6 at 0.01, 6 at 1; layer 2: 2 at 0.01, ",
        "seed = 0",
    ):
        assert words in text
    assert text.count("<svg") == 2
    with pytest.raises(ValueError, match="does not exist"):
        write_sweep_report(swept(), tmp_path / "none" / "report.html")


def test_a_sweep_over_seeds_alone_has_a_table_and_no_picture(tmp_path):
    seeds = Sweep(({"seed": 0}, {"seed": 1}), ({"loglik": 1.0, "converged": 1.0}, {"loglik": 3.0, "converged": 1.0}))
    text = write_sweep_report(seeds, tmp_path / "report.html", is_whole=False).read_text()
    assert "2 (1 to 3)" in text
    assert "It was interrupted" in text
    assert "<svg" not in text
