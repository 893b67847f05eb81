"""What is made of the single measurements: a spread, and ratios taken turn by turn.

A benchmark measures ours and its yardsticks alternately, one turn each and again, so that
whatever else the machine does slows both. A ratio is taken within a turn; what is printed is the
smallest, the middle and the largest of those ratios, never a ratio of averages.
"""

import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The smallest, the middle and the largest of some figures."""

    minimum: float
    median: float
    maximum: float

    def __str__(self) -> str:
        least, middle, most = map(figure, (self.minimum, self.median, self.maximum))
        return f"{middle} ({least}–{most})"


def spread(figures: Iterable[float]) -> Spread:
    known = sorted(figures)
    return Spread(known[0], statistics.median(known), known[-1])


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How many times theirs ours is, turn by turn."""
    return spread(mine / other for mine, other in zip(ours, theirs, strict=True))


def figure(value: float) -> str:
    """Three significant digits at least, and no more than help: 5,812 · 96.3 · 1.27 · 0.0431."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3g}"


def say(line: str = "") -> None:
    """One line of what is going on."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
