"""From states to decisions about machines: alarms, remaining life with its distribution, risks, scores."""

from neurolatent.prognostics.fleet import fleet_table
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.risk import risk_table
from neurolatent.prognostics.settings import RemainingLife

__all__ = ["Prognosis", "RemainingLife", "fleet_table", "prognose", "risk_table"]
