"""The report: statistics of every stage to one self-contained page."""

from glotmill.dashboard.diff import Difference
from glotmill.dashboard.diff_page import render_difference
from glotmill.dashboard.report import build_report, compare, growing_report
from glotmill.dashboard.statistics import IncompleteRun

__all__ = [
    "Difference",
    "IncompleteRun",
    "build_report",
    "compare",
    "growing_report",
    "render_difference",
]
