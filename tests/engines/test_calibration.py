"""Simulation-based calibration of NUTS: parameters from the prior, data from them, and the ranks of the truth.

Talts et al. (2018), arXiv 1804.06788: if the sampler is right, the rank of the truth among independent draws of the
posterior is uniform. A few replications here; two hundred in the record, which shares its code.
"""

import numpy as np
import pytest

from benchmarks.records.arphmm_calibration import BINS, KEPT, QUANTITIES, draw, p_of_bins, p_of_ecdf, ranks_of

UNIFORM = np.random.default_rng(1).integers(0, KEPT + 1, (200, len(QUANTITIES)))


@pytest.mark.record
def test_ranks_are_uniform():
    assert p_of_ecdf(ranks_of(30, knows_ends=True).ranks).min() > 1e-3


def test_p_values_of_uniform_ranks_are_uniform():
    many = np.random.default_rng(2).integers(0, KEPT + 1, (200, 400))
    for p in (p_of_ecdf(many), p_of_bins(many)):
        assert abs((p <= 0.05).mean() - 0.05) < 0.04
        assert abs((p <= 0.5).mean() - 0.5) < 0.09


@pytest.mark.parametrize("few", [30, 200])
def test_a_shifted_and_a_narrow_sampler_are_found(few):
    shifted = np.minimum(UNIFORM[:few] + 30, KEPT)
    narrow = np.where(UNIFORM[:few] % 3 == 0, UNIFORM[:few] % 2 * KEPT, UNIFORM[:few])  # too often beyond all draws
    assert p_of_ecdf(shifted).max() < 1e-3
    assert p_of_ecdf(narrow).max() < 1e-2
    assert few < 20 * BINS or p_of_bins(narrow).max() < 1e-3
    assert p_of_ecdf(UNIFORM[:few]).min() > 1e-3


def test_the_picture_is_written(tmp_path):
    draw(UNIFORM, tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 10_000
