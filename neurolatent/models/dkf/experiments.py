"""The simulated experiments as recordings, and what the exact regression decodes from them: the yardstick of a fit.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017, sections 4.2 (``linear_mixture``), 4.3
(``binary_mixture``) and 4.4 (``turning_state``).
"""

from typing import NamedTuple

import numpy as np

from neurolatent.models.dkf.filtering import Decoded, How, Measured, decode, decode_moving
from neurolatent.models.dkf.motion import Motion, Turning
from neurolatent.models.dkf.params import StateModel
from neurolatent.models.dkf.synthetic import LinearMixture, Observed, course, state_model
from neurolatent.models.dkf.synthetic_binary import BinaryMixture
from neurolatent.ops.indefinite import Rule
from neurolatent.precision import in_double
from neurolatent.recording import Recording

# How the state is seen, and whether it turns.
EXPERIMENTS = {
    "linear_mixture": (LinearMixture, False),
    "binary_mixture": (BinaryMixture, False),
    "turning_state": (LinearMixture, True),
}
EXACT = How(Rule.CLIP, starts_at_first=True)  # as the authors filter the exact regression


class Experiment(NamedTuple):
    """One draw, and what made it."""

    observed: Observed
    state: StateModel
    turns: bool
    recording: Recording  # signals ``seen`` (time, channels) and ``latent`` (time, axes)


def experiment(name: str, seed: int, *, bins: int, channels: int, latent: int = 10) -> Experiment:
    """A draw of one of the experiments."""
    kind, turns = EXPERIMENTS[name]
    generator, state = np.random.default_rng(seed), state_model(latent)
    observed = kind.random(generator, channels, latent)
    z = course(generator, bins, state, turns=turns)
    x = observed.draw(generator, z)
    signals = {"seen": x, "latent": z}
    names = {"seen": [f"x{n + 1}" for n in range(channels)], "latent": [f"z{n + 1}" for n in range(latent)]}
    recording = Recording.of(signals, channels=names, bin_width=1.0, clock_unit="bin", name=name)
    return Experiment(observed, state, turns, recording)


class Exact(NamedTuple):
    """What the exact regression says of each bin, and what its filter decodes."""

    measured: Measured
    decoded: Decoded


@in_double
def exactly_decoded(made: Experiment, recording: Recording) -> Exact:
    """A stretch of the experiment decoded by who knows its laws; one sequence, its target not looked at."""
    told = made.observed.told(recording.signal("seen").values)
    measured = Measured(told.mean[None], told.noise[None], np.ones((1, recording.n_samples), bool))
    if not made.turns:
        return Exact(measured, decode(EXACT, made.state, measured))
    level = np.zeros(len(made.state.transition))
    return Exact(measured, decode_moving(EXACT, Motion(Turning()), made.state, level, measured))
