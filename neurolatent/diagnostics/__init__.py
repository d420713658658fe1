"""Is the fit to be believed? Rows of what was asked, the value, the threshold, the verdict and what to do."""

from neurolatent.diagnostics.clusters import cluster_rows
from neurolatent.diagnostics.decoding import decoding_rows
from neurolatent.diagnostics.engines import completed, engine_rows
from neurolatent.diagnostics.latents import latent_rows
from neurolatent.diagnostics.patterns import pattern_rows
from neurolatent.diagnostics.rows import Diagnosis, Row, Verdict, graded
from neurolatent.diagnostics.states import dynamics_rows, prediction_rows, state_rows
from neurolatent.models.protocols import Foresees, HasBound, HasGibbs, HasTwoStages
from neurolatent.result import Fit

__all__ = ["Diagnosis", "Row", "Verdict", "check", "graded"]


def check(fit: Fit) -> Diagnosis:
    """Whether a fit is to be believed, by what suits its engine and its model.

    For EM: does the objective rise, has it converged, do restarts agree. For NUTS: R-hat, effective sample sizes,
    divergences, energy. For SVI: has the ELBO levelled off, does the guide fit the posterior. For state models: empty
    states, states that cannot be told apart, calibration and independence of the one-step predictions, stability of
    the dynamics, agreement of data and knowledge. For a model that decodes a signal: what the regression tells of
    unseen rows, stability, bins in which a rule stepped in or that were skipped, coverage after a calibration.
    For clusters and states drawn by Gibbs: R-hat and effective sizes of numbers that do not depend on labels, agreement
    of the chains' partitions, bounds on their numbers, acceptance.
    For a model of continuous latents: are all used, are length scales off their bounds, does the basis represent them.
    For a network of patterns: did every epoch have a number, has a layer collapsed or exploded, are deviations clipped.
    """
    if isinstance(fit.model, HasTwoStages):
        return Diagnosis((completed(fit), *engine_rows(fit), *decoding_rows(fit)))
    if isinstance(fit.model, HasGibbs):
        return Diagnosis((completed(fit), *cluster_rows(fit)))
    if isinstance(fit.model, Foresees):
        return Diagnosis((completed(fit), *engine_rows(fit), *pattern_rows(fit)))
    if isinstance(fit.model, HasBound):
        return Diagnosis((completed(fit), *engine_rows(fit), *latent_rows(fit)))
    rows = [completed(fit), *engine_rows(fit), *state_rows(fit), *prediction_rows(fit), *dynamics_rows(fit)]
    return Diagnosis(tuple(rows))
