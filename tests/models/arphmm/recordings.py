"""Recordings of test cases, and the model's data with double precision."""

from typing import Any

import jax
import numpy as np

from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.data import ARPHMMData
from neurolatent.recording import Recording, knowledge
from tests.models.arphmm.twin import Case


def recording_of(case: Case, **options: Any) -> Recording:
    recording = Recording.of({"signal": case.y}, clock_unit="step", name="case", **options)
    return recording.with_knowledge(knowledge.plausibility(case.flat_weights))


def data_of(model: ARPHMM, case: Case) -> ARPHMMData:
    """What the model takes of a case, on the device (call inside the double scope)."""
    selected = model.select(recording_of(case), for_training=True, use_knowledge=True)
    return jax.tree.map(jax.numpy.asarray, selected.data)


def on_device(params: ARPHMMParams) -> ARPHMMParams:
    return ARPHMMParams(*map(jax.numpy.asarray, params))


def well_separated() -> tuple[ARPHMM, ARPHMMParams]:
    """Two persistent states that any method tells apart."""
    params = ARPHMMParams(
        np.array([0.5, 0.5]),
        np.array([[0.95, 0.05], [0.1, 0.9]]),
        np.array([0.05, 0.1]),
        np.array([[[0.5, 2.0]], [[-0.4, -1.0]]]),
        np.array([[[0.09]], [[0.25]]]),
    )
    return ARPHMM(2, transitions="ergodic"), params
