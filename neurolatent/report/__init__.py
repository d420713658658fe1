"""Fit, recording and diagnosis as one HTML file that needs nothing else."""

from neurolatent.report.page import write_report
from neurolatent.report.sweep import write_sweep_report

__all__ = ["write_report", "write_sweep_report"]
