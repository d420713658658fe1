"""The Fourier basis of a Gaussian process against dense kernels and the figures of its specification."""

import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.ops.fourier_gp import FourierBasis

# T, length scale, bins of the circle, highest frequency, largest error of the covariance
TABLE = [
    (60, 10.0, 60, 5, 0.995),
    (60, 10.0, 72, 6, 0.430),
    (60, 10.0, 80, 7, 0.110),
    (60, 10.0, 90, 8, 8.2e-3),
    (60, 10.0, 100, 9, 2.2e-4),
    (60, 20.0, 72, 3, 0.81),
    (60, 20.0, 140, 6, 2.7e-4),
    (60, 5.0, 80, 15, 1.5e-4),
    (40, 10.0, 48, 4, 0.667),
]


@pytest.mark.parametrize(("time", "ell", "circle", "highest", "error"), TABLE)
def test_the_published_padding_ties_the_ends_together_and_ours_does_not(time, ell, circle, highest, error):
    basis = FourierBasis(time, ell, pad=circle - time)
    assert (basis.Tc, basis.kmax, basis.F) == (circle, highest, 2 * highest + 1)
    assert float(f"{basis.kernel_error(ell):.1e}") == pytest.approx(float(f"{error:.1e}"), rel=0.02)


@pytest.mark.parametrize("circle", [24, 25])
def test_the_functions_are_orthonormal_on_the_whole_circle(circle):
    basis = FourierBasis(circle, 1.0, pad=0)
    assert 2 * ((circle - 1) // 2) + 1 == basis.F
    np.testing.assert_allclose(basis.B @ basis.B.T, np.eye(basis.F), atol=1e-12)


def test_by_default_the_end_of_a_trial_does_not_know_its_start():
    basis = FourierBasis(60)
    assert basis.Tc == 100
    cov = (basis.B.T * np.asarray(basis.prior_var(10.0))) @ basis.B
    assert abs(cov[0, -1] / np.sqrt(cov[0, 0] * cov[-1, -1])) < 0.01


def test_a_share_pads_as_the_published_code_does():
    assert FourierBasis(60, pad=0.2).Tc == 72


def test_prior_variances_are_the_spectrum_of_the_kernel_and_the_floor():
    basis = FourierBasis(60)
    ell, rho = jnp.array([10.0, 20.0]), jnp.array([1.0, 3.0])
    want = [r * np.sqrt(2 * np.pi) * e * np.exp(-0.5 * (basis.w * e) ** 2) + 0.1 for e, r in ((10, 1), (20, 3))]
    np.testing.assert_allclose(basis.prior_var(ell, rho, 0.1), want, rtol=1e-5)


def test_long_trials_go_to_time_by_a_fast_transform_with_the_same_result():
    basis = FourierBasis(1500, 30.0)
    zf = np.random.default_rng(0).normal(size=(2, basis.F)).astype(np.float32)
    np.testing.assert_allclose(basis.to_time(jnp.asarray(zf)), zf @ basis.B, atol=1e-5)


def test_a_course_is_projected_on_coefficients_that_give_it_back():
    basis = FourierBasis(60)
    z = jnp.asarray(np.random.default_rng(0).normal(size=(3, basis.F)) @ basis.B, jnp.float32)
    np.testing.assert_allclose(basis.to_time(basis.project(z)), z, atol=2e-3)
