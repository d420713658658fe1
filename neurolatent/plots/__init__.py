"""One figure per function: arrays in, matplotlib axes out. Colours and settings: :mod:`neurolatent.plots.style`."""

from neurolatent.plots.acting import cost_curves
from neurolatent.plots.calibration import (
    coverage_curve,
    coverage_of,
    pit_histogram,
    probability_histogram,
    standardised,
)
from neurolatent.plots.chains import chain_summary, chain_traces, posterior_summary, rank_histograms, varying
from neurolatent.plots.choice import held_out_curve
from neurolatent.plots.choices import Psychometric, occupancy_bars, psychometric_curves
from neurolatent.plots.clusters import (
    Epoch,
    bin_similarity,
    block_counts,
    cluster_courses,
    clustered_raster,
    similarity_matrix,
)
from neurolatent.plots.comparison import comparison_dots, figures_of
from neurolatent.plots.convergence import objective_trace
from neurolatent.plots.curves import seed_curves
from neurolatent.plots.decoded import decoded_course
from neurolatent.plots.dwell import Stays, dwell_times, stays_of
from neurolatent.plots.latents import Course, latent_against, latent_courses, leakage_matrix
from neurolatent.plots.of_fit import plot_unit
from neurolatent.plots.raster import choice_strip, over_states, spike_raster
from neurolatent.plots.remaining_life import fleet_overview, life_curve
from neurolatent.plots.states import state_handles, state_probabilities, state_ribbon
from neurolatent.plots.style import house_style, state_colours
from neurolatent.plots.transitions import Pushed, transition_curves, transition_matrix
from neurolatent.plots.trust import accuracy_curve, coverage_by_group, estimate_and_truth
from neurolatent.plots.unit import Fan, UnitView, alarm_line, forecast_fan, signal_with_band, unit_figure
from neurolatent.plots.weights import connectome_maps, covariate_weights, weight_maps, weight_squares

__all__ = [
    "Course",
    "Epoch",
    "Fan",
    "Psychometric",
    "Pushed",
    "Stays",
    "UnitView",
    "accuracy_curve",
    "alarm_line",
    "bin_similarity",
    "block_counts",
    "chain_summary",
    "chain_traces",
    "choice_strip",
    "cluster_courses",
    "clustered_raster",
    "comparison_dots",
    "connectome_maps",
    "cost_curves",
    "covariate_weights",
    "coverage_by_group",
    "coverage_curve",
    "coverage_of",
    "decoded_course",
    "dwell_times",
    "estimate_and_truth",
    "figures_of",
    "fleet_overview",
    "forecast_fan",
    "held_out_curve",
    "house_style",
    "latent_against",
    "latent_courses",
    "leakage_matrix",
    "life_curve",
    "objective_trace",
    "occupancy_bars",
    "over_states",
    "pit_histogram",
    "plot_unit",
    "posterior_summary",
    "probability_histogram",
    "psychometric_curves",
    "rank_histograms",
    "seed_curves",
    "signal_with_band",
    "similarity_matrix",
    "spike_raster",
    "standardised",
    "state_colours",
    "state_handles",
    "state_probabilities",
    "state_ribbon",
    "stays_of",
    "transition_curves",
    "transition_matrix",
    "unit_figure",
    "varying",
    "weight_maps",
    "weight_squares",
]
