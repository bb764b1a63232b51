"""Learning rates by step: a rise, then cosine or warmup-stable-decay, begun anew at restarts."""

from __future__ import annotations

import math
from itertools import pairwise

from glotmill.trainer.config import Schedule


def rate_at(step: int, num_steps: int, schedule: Schedule) -> float:
    """The learning rate of a step, as a share of the highest.

    After the warm-up: cosine goes down to `end` over the rest; wsd (Hu et al., MiniCPM, arXiv
    2404.06395) stays at 1 and goes down over the last `decay_share` of the steps as 1 - sqrt
    (Hägele et al., arXiv 2405.18392). A restart rises again from where the descent has arrived:
    re-warming (Ibrahim et al., arXiv 2403.08763).

    Args:
        step: counted from 0.
        num_steps: of the whole run.
        schedule: kind and lengths.

    >>> schedule = Schedule(kind="wsd", warmup_steps=10, end=0.0, decay_share=0.5)
    >>> [round(rate_at(step, 100, schedule), 2) for step in (0, 4, 9, 49, 99)]
    [0.1, 0.5, 1.0, 1.0, 0.0]
    """
    start = schedule.warmup_from
    bounds = sorted({0, *(each for each in schedule.restarts if each < num_steps), num_steps})
    for begin, end in pairwise(bounds):
        if step < end or end == num_steps:
            return _segment(step - begin, end - begin, start, schedule)
        start = _segment(end - begin - 1, end - begin, start, schedule)
    return start


def _segment(step: int, num_steps: int, start: float, schedule: Schedule) -> float:
    warmup = min(schedule.warmup_steps, num_steps)
    if step < warmup:
        return start + (1 - start) * (step + 1) / warmup
    if schedule.kind == "constant":
        return 1.0
    if schedule.kind == "cosine":
        share = _progress(step, warmup, num_steps)
        return schedule.end + (1 - schedule.end) * (1 + math.cos(math.pi * share)) / 2
    descent = max(warmup, num_steps - round(schedule.decay_share * num_steps))
    return 1 - (1 - schedule.end) * math.sqrt(_progress(step, descent, num_steps))


def _progress(step: int, begin: int, end: int) -> float:
    """How far along a stretch a step is: 0 before it, 1 at its last step.

    >>> _progress(4, 5, 10), _progress(7, 5, 10), _progress(9, 5, 10)
    (0.0, 0.6, 1.0)
    """
    return min(1.0, max(0, step - begin + 1) / max(1, end - begin))
