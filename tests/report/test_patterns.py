"""The page of temporal patterns has its sections, for values and for symbols."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.plots.patterns import Watched, regression_animation
from tests.models.pvrnn.recordings import fitted, recording


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({}, marks=pytest.mark.slow, id="pvrnn"),
        pytest.param({"units": 5, "latent": 2, "width": 6}, marks=pytest.mark.record, id="vrnn"),
    ],
)
def test_the_page_of_values(choices, tmp_path):
    fit = fitted(**choices)
    text = nl.write_report(fit, recording(fit.model, (12, 9)), tmp_path / "report.html").read_text()
    for heading in (
        "What was traded for what?",
        "What do the latents do?",
        "What do they tell?",
        "What does it foresee?",
    ):
        assert heading in text
    assert ("What does the network make by itself?" in text) == (not choices)
    assert "data:image/gif;base64," in text
    assert "beta" in text


@pytest.mark.slow
def test_the_page_of_symbols(tmp_path):
    from neurolatent.models.pvrnn import Symbols

    fit = fitted(likelihood=Symbols(3), posterior_form="free")
    text = nl.write_report(fit, recording(fit.model, (12, 9)), tmp_path / "report.html").read_text()
    assert "Transitions in" in text
    assert "Largest Lyapunov exponent" in text


def test_the_film_has_a_frame_for_each_shown_step():
    from PIL import Image, ImageSequence

    rng = np.random.default_rng(0)
    ahead = rng.normal(size=(6, 2, 1))
    film = regression_animation(
        Watched(rng.normal(size=(6, 1)), rng.normal(size=(6, 1)), ahead, ahead - 1, ahead + 1, 3), ["x"], most=4
    )
    import io

    assert sum(1 for _ in ImageSequence.Iterator(Image.open(io.BytesIO(film)))) == 4
