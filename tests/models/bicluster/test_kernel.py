"""NumPyro's own loop around the sampler."""

import jax
import numpy as np
import pytest
from numpyro.infer import MCMC

from neurolatent import precision
from neurolatent.models.bicluster.kernel import BiclusterKernel
from tests.models.bicluster.small import BINS, NEURONS, case, model_of


@pytest.mark.slow
def test_numpyro_runs_the_sampler_and_repeats_it():
    _, data = case(0)
    with precision.double():
        drawn = []
        for _ in range(2):
            mcmc = MCMC(BiclusterKernel(model_of()), num_warmup=3, num_samples=5, progress_bar=False)
            mcmc.run(jax.random.key(1), data)
            drawn.append(mcmc.get_samples())
    assert drawn[0]["label"].shape == (5, NEURONS)
    assert drawn[0]["trajectories"].shape == (5, 3, BINS, 2)
    for name, value in drawn[0].items():
        np.testing.assert_array_equal(value, drawn[1][name])
    assert len(np.unique(np.asarray(drawn[0]["offset"])[:, 0])) == 5
