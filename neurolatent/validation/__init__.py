"""How well do models tell data that they have not seen? Cross-validation, and the choice between candidates by it."""

from neurolatent.validation.choice import Choice
from neurolatent.validation.cross import Candidate, cross_validate, held_out_scores
from neurolatent.validation.entries import EntryScores, entry_scores
from neurolatent.validation.folds import Folds

__all__ = ["Candidate", "Choice", "EntryScores", "Folds", "cross_validate", "entry_scores", "held_out_scores"]
