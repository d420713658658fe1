"""From states to decisions about machines: alarms, remaining life, scores."""

from neurolatent.prognostics.fleet import fleet_table

__all__ = ["fleet_table"]
