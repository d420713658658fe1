"""The result of a fit: it can predict, score, forecast, be saved and be read back."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from neurolatent.checks import InputError, whole_number
from neurolatent.choices import Engine
from neurolatent.compiling import key_of
from neurolatent.models.protocols import DrawsPart, Forecasts, HasTwoStages, Latents, Selected, Streams
from neurolatent.precision import in_double
from neurolatent.preparation import Learned, Step, replay
from neurolatent.recording import Recording
from neurolatent.recording.signal import make_signal
from neurolatent.result import build, storage
from neurolatent.result.labels import combine, label_latents, refusals

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """What was learned of a recording, and how far it got.

    Attributes:
        params: One set of parameters: the best restart of EM, or the mean of the draws.
        draws: The same tuple with leading axes (chain, draw); None where the engine draws none.
        idata: ArviZ groups: ``posterior`` and ``sample_stats`` (draws), ``point_estimate``, ``latents`` of the training
            recording, ``log_likelihood`` per sequence, ``observed_data``, ``trace``.
        prepare, learned: The preparation steps and what they learned, replayed on every new recording.
        facts: What the training recording was: name, fingerprint, sizes, history, knowledge.
        seconds: ``compile`` and ``run``.
    """

    model: Any
    engine: Engine
    params: Any
    draws: Any
    idata: Any  # an xarray.DataTree, whose items pyright cannot tell apart
    converged: bool
    interrupted: bool
    warnings: tuple[str, ...]
    seed: int
    versions: dict[str, str]
    facts: dict[str, Any]
    seconds: dict[str, float]
    prepare: tuple[Step, ...] = ()
    learned: tuple[Learned, ...] = ()
    n_latent_draws: int = field(default=40)  # thinned draws over which predictions are averaged

    # --- on new recordings ---------------------------------------------------------------------------------------

    def prepared(self, recording: Any, *, use_knowledge: bool = False) -> Selected:
        """A new recording after the preparation that was learned at training, as the model takes it."""
        applied = replay(Recording.of(recording), self.prepare, self.learned)
        ready = self._with_unknown_target(applied.recording)
        selected = self.model.select(ready, for_training=False, use_knowledge=use_knowledge)
        return selected._replace(refused={**applied.refused, **selected.refused})

    def _with_unknown_target(self, recording: Recording) -> Recording:
        """With the signal that is decoded, nowhere observed, where the recording does not have it."""
        name, channels = self.facts["signal"], self.facts["channels"]
        if name in recording.signals or not isinstance(self.model, HasTwoStages):
            return recording
        unknown = np.full((recording.n_samples, len(channels)), np.nan)
        return recording.with_signal(name, make_signal(unknown, channels=channels, where=recording.title))

    @in_double
    def predict(self, recording: Any, *, use_knowledge: bool = False) -> xr.Dataset:
        """Latent quantities of a recording, in its units, labelled by sequence and clock time.

        Args:
            recording: A Recording, or whatever :meth:`Recording.of` takes.
            use_knowledge: Let the recording's own knowledge weigh in.

        Returns:
            A dataset over ``sample`` and ``sequence``: for state models ``filtered`` (given the past) and ``smoothed``
            (given all) probabilities, the most probable ``path``, ``predicted_mean`` and ``predicted_sd`` of each
            sample given those before. Sequences that cannot be answered stand under ``refused`` with their ``reason``.

        Raises:
            InputError: No sequence can be answered; the message says why.
        """
        selected = self.prepared(recording, use_knowledge=use_knowledge)
        data = label_latents(self.latents(selected), selected, self.model)
        spread = [str(n).removesuffix("_cov") for n in data.data_vars if str(n).endswith("_cov")]
        before = {name: data[f"{name}_sd"].values for name in spread}
        return self._covariances_in_user_units(self._in_user_units(data), before)

    def latents(self, selected: Selected) -> Latents:
        """Posterior quantities of a selected recording, averaged over thinned draws where there are some."""
        return combine(self._posteriors(selected))

    def _posteriors(self, selected: Selected) -> list[Latents]:
        """Posterior quantities under each of the parameter sets."""
        if isinstance(self.model, DrawsPart):
            return self.model.posteriors(self.parameter_sets(), selected.data)
        return [jax.device_get(self.model.posterior(p, selected.data)) for p in self.parameter_sets()]

    def parameter_sets(self, most: int | None = None) -> list[Any]:
        """The parameters over which predictions are averaged: thinned draws, or the one point estimate."""
        if self.draws is None:
            return [self.params]
        flat = [np.asarray(leaf).reshape(len(leaf) * len(leaf[0]), *np.shape(leaf)[2:]) for leaf in self.draws]
        picks = np.unique(np.linspace(0, len(flat[0]) - 1, most or self.n_latent_draws).astype(int))
        each = [type(self.draws)(*(leaf[i] for leaf in flat)) for i in picks]
        return [self.model.under(self.params, one) for one in each] if isinstance(self.model, DrawsPart) else each

    @in_double
    def score(self, recording: Any, *, use_knowledge: bool = False) -> xr.DataArray:
        """Log evidence of each sequence, nats, given its first samples that the model conditions on.

        With draws it is the log of the evidence averaged over (thinned) draws.
        """
        selected = self.prepared(recording, use_knowledge=use_knowledge)
        if isinstance(self.model, DrawsPart):
            each = np.stack([part.per_sequence["log_evidence"] for part in self._posteriors(selected)])
        else:
            each = np.stack([np.asarray(self.model.log_likelihood(p, selected.data)) for p in self.parameter_sets()])
        values = np.logaddexp.reduce(each, axis=0) - np.log(len(each))
        return xr.DataArray(values, {"sequence": selected.recording.ids}, name="log_evidence")

    @in_double
    def forecast(self, recording: Any, horizon: int, *, seed: int, n_paths: int = 1000) -> xr.Dataset:
        """The next ``horizon`` samples of each sequence, simulated: quantiles, mean and state probabilities.

        Args:
            horizon: Samples ahead.
            seed: Of the simulated paths; the same seed gives the same forecast.
            n_paths: Simulated paths per sequence.
        """
        whole_number("horizon", horizon, 1)
        whole_number("n_paths", n_paths, 1)
        if not isinstance(self.model, Forecasts):
            raise InputError(f"{type(self.model).__name__} has no forecast")
        selected = self.prepared(recording)
        sets = self.parameter_sets()
        keys = jax.random.split(key_of(seed), len(sets))
        share = -(-n_paths // len(sets))
        parts = [
            jax.device_get(self.model.forecast(p, selected.data, key, horizon=horizon, n_paths=share))
            for p, key in zip(sets, keys, strict=True)
        ]
        return self._label_forecast(selected, [np.concatenate(leaves, axis=1) for leaves in zip(*parts, strict=True)])

    def _label_forecast(self, selected: Selected, leaves: list[np.ndarray]) -> xr.Dataset:
        y, states = leaves
        each = self.model.dimensions()["predicted_mean"][-1]
        names = list(self.model.coordinates(selected.recording)[each])
        levels = np.asarray(QUANTILES)
        probability = np.stack([(states == k).mean(axis=1) for k in range(self.model.n_states)], axis=-1)
        ahead = np.arange(1, y.shape[2] + 1) * selected.recording.bin_width
        data = xr.Dataset(
            {
                "quantile": (("level", "sequence", "ahead", each), np.quantile(y, levels, axis=1)),
                "mean": (("sequence", "ahead", each), y.mean(axis=1)),
                "state_probability": (("sequence", "ahead", "state"), probability),
            },
            {"level": levels, "ahead": ahead, each: names, "state": self.model.state_names()},
        ).assign_coords(sequence=selected.recording.ids)
        return self._in_user_units(data.assign(refusals(selected.refused)), ("quantile", "mean"))

    def _in_user_units(self, data: xr.Dataset, names: tuple[str, ...] | None = None) -> xr.Dataset:
        """Means and standard deviations of the modelled signal, or what ``names`` name, before the preparation."""
        known = [
            str(n) for n in data.data_vars if str(n).endswith(("_mean", "_sd")) and data[n].dims[-1:] == ("feature",)
        ]
        for name in known if names is None else names:
            features = [str(n) for n in data["feature"].values]
            places = [self.facts["channels"].index(n) for n in features]
            values = np.full((*data[name].shape[:-1], len(self.facts["channels"])), np.nan)
            values[..., places] = data[name].values  # a step restores all channels of the signal
            for step, learned in zip(reversed(self.prepare), reversed(self.learned), strict=True):
                values = step.restore(self.facts["signal"], values, learned, is_spread=name.endswith("_sd"))
            data[name] = data[name].copy(data=values[..., places])
        return data

    def _covariances_in_user_units(self, data: xr.Dataset, sds: dict[str, np.ndarray]) -> xr.Dataset:
        """Covariances scaled as their standard deviations were; ``sds`` holds those before."""
        for name, before in sds.items():
            ratio = data[f"{name}_sd"].values / before
            spread = data[f"{name}_cov"]
            data[f"{name}_cov"] = spread.copy(data=spread.values * ratio[..., :, None] * ratio[..., None, :])
        return data

    def stream(self) -> Any:
        """The fit as a running filter: ``update(x)`` with each bin, ``reset()`` between trials.

        Raises:
            InputError: A model without one, or a preparation, which only whole recordings go through.
        """
        if not isinstance(self.model, Streams):
            raise InputError(f"{type(self.model).__name__} has no stream(); it has filter_start and filter_step")
        if self.prepare:
            raise InputError(
                f"a stream takes bins as they come, and this fit was prepared by "
                f"{[type(step).__name__ for step in self.prepare]}. Fit without steps: the model scales its inputs."
            )
        return self.model.stream(self.params)

    @in_double
    def retuned(self, recording: Any, *, rounds: int = 100, tolerance: float = 1e-6) -> "Fit":
        """The fit with its state model re-tuned on a recording whose decoded signal need not be known.

        EM on the inputs alone (Shumway and Stoffer 1982), with the regression, its noise and the long-run covariance
        held fixed: for a day on which the hand moves otherwise than in training. The evidence of the recording never
        falls; it stands as ``objective`` in the group ``trace``. Draws of the former state model are left behind.
        ``fit.stream().replace(other.params)`` takes the new one into a running stream.

        Args:
            recording: A Recording, or whatever :meth:`Recording.of` takes.
            rounds: At most.
            tolerance: Relative change of the log evidence that counts as none.

        Returns:
            The fit; its latents and observed data are those of this recording.

        Raises:
            InputError: A model without a state model of its own, or too few bins.
        """
        whole_number("rounds", rounds, 1)
        if not hasattr(self.model, "retune"):
            raise InputError(f"{type(self.model).__name__} cannot be re-tuned without its target; fit it anew")
        selected = self.prepared(recording)
        params, found = self.model.retune(self.params, selected.data, rounds=rounds, tolerance=float(tolerance))
        trace = {"objective": found.log_evidence[None], "best": np.asarray(0)}
        fit = replace(self, params=params, draws=None, converged=found.converged)
        return fit.with_groups(build.groups(fit.model, build.Learned(params, trace), selected, fit.latents(selected)))

    @in_double
    def simulate(self, lengths: list[int], *, seed: int) -> Recording:
        """A recording drawn from the fitted model, in the prepared units, with the true states as ``state``."""
        return self.model.simulate(self.params, key_of(seed), lengths)

    # --- on disk -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write everything to one netCDF file that ``xarray.open_datatree`` opens; atomic, nothing is pickled."""
        return storage.write(storage.stored(self), Path(path), storage.FORMAT)

    @classmethod
    def load(cls, path: str | Path) -> "Fit":
        """The fit again: it predicts the same numbers.

        Raises:
            InputError: The file is no saved fit.
        """
        return cls(**storage.restored(storage.read(Path(path), storage.FORMAT)))

    def with_groups(self, idata: xr.DataTree) -> "Fit":
        """The fit with these ArviZ groups."""
        return replace(self, idata=idata)

    def _repr_html_(self) -> str:
        return f"<pre>{self}</pre>"

    def __repr__(self) -> str:
        state = "interrupted" if self.interrupted else ("converged" if self.converged else "not converged")
        lines = [
            f"Fit of {self.model}",
            f"  to {self.facts['name'] or 'a recording'}: {self.facts['n_sequences']} sequences, "
            f"{self.facts['n_samples']} samples",
            f"  by {self.engine}, seed {self.seed}: {state}",
        ]
        return "\n".join(lines + [f"  warning: {w}" for w in self.warnings])
