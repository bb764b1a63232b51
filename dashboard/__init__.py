"""The report: statistics of every stage to one self-contained page."""

from glotmill.dashboard.report import build_report
from glotmill.dashboard.statistics import IncompleteRun

__all__ = ["IncompleteRun", "build_report"]
