"""Which sections the page of each model has: the one place where models and sections meet."""

from collections.abc import Callable

from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.bicluster import BiClustering
from neurolatent.models.dkf import DKF
from neurolatent.models.gpvae import GPVAE
from neurolatent.models.hmmglm import HMMGLM
from neurolatent.models.pvrnn import PVRNN, VRNN
from neurolatent.report.acting import acting_section
from neurolatent.report.blocks import Section, Text
from neurolatent.report.choice import choice_section
from neurolatent.report.clusters import clusters_section, dynamics_section
from neurolatent.report.decoding import decoded_section, honesty_section, state_section
from neurolatent.report.entries import entries_section
from neurolatent.report.evidence import evidence_section, learned_section
from neurolatent.report.figures import Painter
from neurolatent.report.fleet import fleet_section
from neurolatent.report.inputs import inputs_section
from neurolatent.report.lapses import lapses_section
from neurolatent.report.latents import latents_section, truth_section
from neurolatent.report.lines import lines_section
from neurolatent.report.material import Material
from neurolatent.report.outlook import has_answers
from neurolatent.report.patterns import (
    foresight_section,
    layers_section,
    made_section,
    objective_section,
    told_section,
)
from neurolatent.report.reconstruction import reconstruction_section
from neurolatent.report.risk import risk_section
from neurolatent.report.switching import sequences_section, states_section
from neurolatent.report.trust import TRUST, trust_section
from neurolatent.report.units import units_section
from neurolatent.report.weights import weights_section


def sections_of(material: Material, painter: Painter) -> list[Section]:
    """The sections of a fit's page, before comparison, cards and origin."""
    return PAGES[type(material.fit.model)](material, painter)


def fleet_page(material: Material, painter: Painter) -> list[Section]:
    """Units on their way to a failure: where they stand, or what a prognosis says of them, each by itself, the fit."""
    sections = [fleet_section(material)] if material.outlook is None else ahead_sections(material, painter)
    sections += [units_section(material, painter)] if material.shown else []
    sections += [evidence_section(material, painter), learned_section(material, painter)]
    return sections + _held_out(material, painter)


def switching_page(material: Material, painter: Painter) -> list[Section]:
    """States that come and go: which, when, how sure; what moves them, what they weigh; held-out data; the fit."""
    sections = [states_section(material, painter), *inputs_section(material, painter)]
    sections += [*weights_section(material, painter), *lapses_section(material), *_held_out(material, painter)]
    sections += [sequences_section(material, painter)] if material.shown else []
    return [*sections, evidence_section(material, painter)]


def decoding_page(material: Material, painter: Painter) -> list[Section]:
    """A signal told bin by bin: its course against the truth, whether its spread is honest, how the state moves."""
    sections = [decoded_section(material, painter), *honesty_section(material, painter)]
    return [*sections, state_section(material), evidence_section(material, painter)]


def latents_page(material: Material, painter: Painter) -> list[Section]:
    """Continuous latents: their courses, whether all are used, the truth, what they tell of the data, the fit."""
    sections = [latents_section(material, painter), *truth_section(material, painter)]
    return [*sections, reconstruction_section(material, painter), evidence_section(material, painter)]


def clusters_page(material: Material, painter: Painter) -> list[Section]:
    """Neurons and bins in blocks: which neurons move together, when their dynamics change, hidden counts, the fit."""
    sections = [clusters_section(material, painter), *dynamics_section(material, painter)]
    return [*sections, *entries_section(material), evidence_section(material, painter)]


def patterns_page(material: Material, painter: Painter) -> list[Section]:
    """Temporal patterns: the parts of the objective, latents by layer, what the network makes and foresees, the fit."""
    sections = [objective_section(material, painter), layers_section(material, painter)]
    sections += [told_section(material, painter), *made_section(material, painter)]
    return [*sections, *foresight_section(material, painter), evidence_section(material, painter)]


PAGES: dict[type, Callable[[Material, Painter], list[Section]]] = {
    ARPHMM: fleet_page,
    BiClustering: clusters_page,
    DKF: decoding_page,
    GPVAE: latents_page,
    HMMGLM: switching_page,
    PVRNN: patterns_page,
    VRNN: patterns_page,
}


def _held_out(material: Material, painter: Painter) -> list[Section]:
    return [] if material.choice is None else [choice_section(material.choice, painter)]


def ahead_sections(material: Material, painter: Painter) -> list[Section]:
    """The sections that a prognosis brings: risks, when to act, what intervals hold, what else was tried."""
    outlook = material.outlook
    if outlook is None:
        return []
    first = risk_section(material, outlook, painter)
    if not has_answers(outlook.measured.held_out):
        doubt = Text("No held-out row had an answer, so it is not known how far to trust what is told.", "caution")
        return [first, Section("trust", TRUST, [doubt])]
    return [
        first,
        acting_section(material, outlook, painter),
        trust_section(material, outlook, painter),
        lines_section(material, outlook, painter),
    ]
