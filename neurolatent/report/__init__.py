"""Fit, recording and diagnosis as one HTML file that needs nothing else."""

from neurolatent.report.page import write_report

__all__ = ["write_report"]
