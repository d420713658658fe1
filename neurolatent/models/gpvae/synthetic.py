"""The simulated experiments of the method's specification (section 8), drawn with NumPy in a fixed order.

Each recording holds its truth: the signal ``latents``, whose channels are named by group, and ``true_rates`` per bin.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from neurolatent.checks import one_of, whole_number
from neurolatent.recording import Recording

LENGTHSCALE = 10.0  # bins, of every latent
DEGREES = 120.0  # by which an image turns for each unit of the shared latent
ZOOM = (0.3, 3.0)  # limits: a factor near 0 leaves no image
SMALL, LARGE = (8, 2), (28, 4)  # pixels along a side of a digit, and around it: as scikit-learn has them, as MNIST


def gpfa_case(seed: int, *, n_trials: int = 40, bins: int = 60, n_neurons: int = 30) -> Recording:
    """Spikes of two latents in bins of 20 ms (section 8.3)."""
    _refuse_small(n_trials, bins, n_neurons)
    rng = np.random.default_rng(seed)
    z = np.stack([gaussian_process(rng, n_trials, bins, 0.5) for _ in range(2)], axis=-1)
    rates = 1.5 * np.exp(z @ rng.uniform(-1, 1, (2, n_neurons)))
    signals = {"spikes": rng.poisson(rates), "latents": z, "true_rates": rates}
    return _recording(signals, ["neural 0", "neural 1"], 0.02, f"GPFA case, seed {seed}")


def digits_case(
    seed: int,
    *,
    n_trials: int = 100,
    bins: int = 60,
    n_neurons: int = 30,
    exemplar: str = "single",
    size: str = "small",
) -> Recording:
    """Spikes beside images of a handwritten three that turns and zooms (section 8.2).

    Three Gaussian processes: the first turns the image and moves the rates, the second moves the rates, the third zooms
    the image, by a factor of 0.3 at least. With 300 trials, 100 neurons, ``exemplar="cycle"`` and ``size="large"`` it
    is the full-size experiment (section 8.1) but for the threes, which are those of scikit-learn, enlarged.

    Args:
        exemplar: ``single`` shows one image in all bins, ``cycle`` the next one in each bin.
        size: ``small`` images have 12 x 12 pixels, ``large`` ones 36 x 36.
    """
    _refuse_small(n_trials, bins, n_neurons)
    one_of("exemplar", exemplar, ("single", "cycle"))
    one_of("size", size, ("small", "large"))
    rng = np.random.default_rng(seed)
    shared, neural, zoom = (gaussian_process(rng, n_trials, bins, variance) for variance in (0.3, 0.5, 0.8))
    zoom = zoom + 1.0
    loadings = 1.5 * rng.uniform(-1, 1, (n_neurons, 2))
    offset = 0.5 * rng.uniform(-1, 1, n_neurons)
    rates = np.exp(np.stack([shared, neural], axis=-1) @ loadings.T + offset)
    signals = {
        "spikes": rng.poisson(rates),
        "behaviour": images(shared, zoom, exemplar, size),
        "latents": np.stack([neural, shared, zoom], axis=-1),
        "true_rates": rates,
    }
    return _recording(signals, ["neural 0", "shared 0", "behaviour 0"], 1.0, f"digits with spikes, seed {seed}")


def gaussian_process(
    rng: np.random.Generator, n_trials: int, bins: int, variance: float
) -> Float[np.ndarray, "trials bins"]:
    """Courses with a squared exponential covariance."""
    lag = np.subtract.outer(np.arange(bins), np.arange(bins)) / LENGTHSCALE
    factor = np.linalg.cholesky(np.exp(-0.5 * lag**2) + 1e-8 * np.eye(bins))
    return np.sqrt(variance) * rng.normal(size=(n_trials, bins)) @ factor.T


def images(
    turn: Float[np.ndarray, "trials bins"], zoom: Float[np.ndarray, "trials bins"], exemplar: str, size: str = "small"
) -> Float[np.ndarray, "trials bins height width"]:
    """Threes of scikit-learn's digits, from 0 to 1, turned and zoomed about their centre."""
    from scipy.ndimage import affine_transform

    threes = _threes(*(SMALL if size == "small" else LARGE))
    out = np.empty((turn.size, *threes.shape[1:]))
    centre = (np.array(threes.shape[1:]) - 1) / 2
    angles, factors = np.deg2rad(DEGREES * turn.ravel()), np.clip(np.abs(zoom.ravel()), *ZOOM)
    for n, (angle, factor) in enumerate(zip(angles, factors, strict=True)):
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
        picture = threes[n % len(threes) if exemplar == "cycle" else 0]
        affine_transform(picture, matrix, offset=centre - matrix @ centre, order=1, output=out[n])
    return out.reshape(*turn.shape, *threes.shape[1:])


def _threes(side: int, border: int) -> Float[np.ndarray, "exemplars height width"]:
    """All threes, enlarged linearly to so many pixels along a side, with empty ones around."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    drawn: Any = digits.images[digits.target == 3] / 16
    drawn = zoom(drawn, (1, side / 8, side / 8), order=1, mode="nearest", grid_mode=True) if side != 8 else drawn
    return np.pad(drawn, ((0, 0), (border, border), (border, border)))


def _recording(signals: dict[str, np.ndarray], names: list[str], bin_width: float, name: str) -> Recording:
    return Recording.of(
        {key: list(values) for key, values in signals.items()},
        kinds={"spikes": "counts"},
        channels={"latents": names},
        bin_width=bin_width,
        clock_unit="bin" if bin_width == 1 else "s",
        name=name,
    )


def _refuse_small(n_trials: int, bins: int, n_neurons: int) -> None:
    for name, value, low in (("n_trials", n_trials, 1), ("bins", bins, 5), ("n_neurons", n_neurons, 1)):
        whole_number(name, value, low)
