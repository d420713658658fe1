"""Neurodata Without Borders (NWB): units, tables of intervals and time series on one clock."""

from neurolatent.loaders.nwb.contents import nwb_contents
from neurolatent.loaders.nwb.read import read_nwb

__all__ = ["nwb_contents", "read_nwb"]
