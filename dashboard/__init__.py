"""The report: statistics of every stage to one self-contained page."""

from glotmill.dashboard.diff import Difference
from glotmill.dashboard.diff_page import render_difference
from glotmill.dashboard.report import (
    build_report,
    build_training_report,
    compare,
    growing_report,
)
from glotmill.dashboard.statistics import IncompleteRun
from glotmill.dashboard.training_run import TrainingRunError

__all__ = [
    "Difference",
    "IncompleteRun",
    "TrainingRunError",
    "build_report",
    "build_training_report",
    "compare",
    "growing_report",
    "render_difference",
]
