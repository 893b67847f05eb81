"""Percentiles of measured times, for the benchmarks and the load generator."""

import math
from collections.abc import Iterable


def percentile(figures: Iterable[float], percent: float) -> float:
    """The figure that so many percent of all do not exceed; 0 where there is none."""
    known = sorted(figures)
    return known[max(0, math.ceil(len(known) * percent / 100) - 1)] if known else 0.0
