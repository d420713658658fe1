"""What no GP-VAE can be, whatever the data."""

from typing import Any

from neurolatent.checks import InputError, at_least, one_of, positive, whole_number, within
from neurolatent.models.gpvae.belief import DOMAINS
from neurolatent.models.gpvae.families import BEHAVIOUR, NEURAL

ENCODER_TIME = ("projection", "linear")
COMBINE = ("mean", "product")
WEIGHTS = ("balanced", "none")


def refuse_choices(model: Any) -> None:
    """Refuse fields that are out of range or do not go together.

    Raises:
        InputError: The message names the field, its value and what to do.
    """
    for name in ("n_neural", "n_shared", "n_behaviour"):
        whole_number(name, getattr(model, name), 0)
    if model.n_latents == 0:
        raise InputError("n_neural, n_shared and n_behaviour are all 0: a model needs a latent")
    for name, has in (("signal", model.has_neural), ("behaviour", model.has_behaviour)):
        if has and getattr(model, name) is None:
            raise InputError(
                f"{name} is None, but n_neural={model.n_neural}, n_shared={model.n_shared} and "
                f"n_behaviour={model.n_behaviour} have latents of it. Shared latents need both modalities."
            )
    if model.has_neural and model.has_behaviour and model.signal == model.behaviour:
        raise InputError(f"signal and behaviour must be different signals, got {model.signal!r} for both")
    _refuse_families(model)
    _refuse_posterior(model)
    for name in ("lengthscale", "minlens", "alpha", "lengthscale_spread"):
        positive(name, getattr(model, name))
    if model.longest is not None:
        positive("longest", model.longest)
    if not 0.5 * model.minlens < model.lengthscale:
        raise InputError(f"lengthscale must exceed half of minlens ({model.minlens}), got {model.lengthscale}")
    if model.circle is not None:
        whole_number("circle", model.circle, 8)
    _refuse_layers(model)
    _refuse_weights(model)


def _refuse_posterior(model: Any) -> None:
    one_of("combine", model.combine, COMBINE)
    one_of("domain", model.domain, DOMAINS)
    one_of("encoder_time", model.encoder_time, ENCODER_TIME)
    if model.encoder_time == "linear" and model.domain != "fourier":
        raise InputError(
            f'encoder_time="linear" leads to Fourier coefficients: domain must be "fourier", got {model.domain!r}'
        )
    within("modality_dropout", float(model.modality_dropout), 0.0, 1.0)


def _refuse_families(model: Any) -> None:
    one_of("neural_likelihood", model.neural_likelihood, list(NEURAL))
    one_of("behaviour_likelihood", model.behaviour_likelihood, list(BEHAVIOUR))
    used = [model.neural_likelihood] * model.has_neural + [model.behaviour_likelihood] * model.has_behaviour
    for name, family in (("trials", "binomial"), ("n_categories", "categorical")):
        value, wanted = getattr(model, name), family in used
        if wanted and value is None:
            raise InputError(f"a {family} likelihood needs {name}")
        if value is not None:
            whole_number(name, value, 1)
            if not wanted:
                raise InputError(f"{name} belongs to a {family} likelihood, and none was chosen. Leave it out.")


def _refuse_layers(model: Any) -> None:
    for name in ("encoder", "behaviour_encoder", "decoder"):
        layers = getattr(model, name)
        if isinstance(layers, (str, int)):
            raise InputError(f"{name} lists the sizes of hidden layers, such as (64, 32), got {layers!r}")
        for size in layers:
            whole_number(f"{name}: size of a layer", size, 1)


def _refuse_weights(model: Any) -> None:
    given = model.likelihood_weights
    if isinstance(given, str):
        one_of("likelihood_weights", given, WEIGHTS)
        return
    if len(given) != 2:
        raise InputError(f"likelihood_weights are two numbers, of the neural data and of behaviour, got {given!r}")
    for weight in given:
        at_least("likelihood_weights", weight, 0.0)
