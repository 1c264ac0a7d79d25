# SPDX-License-Identifier: GPL-2.0-only
"""From raw rounds to figures: medians with 95 % intervals, and how they are judged.

Rounds of one start of a tracer are not independent of each other (one start has one placement of
its programs and buffers, and falls into one phase of a noisy machine). An interval that treats
them as independent is too narrow, so every interval here is a bootstrap over starts: starts are
drawn with replacement, each with all its rounds, and the statistic is computed again.
"""
import random
import statistics

RESAMPLES = 1000


class Figure:
    """A median and its 95 % interval."""

    def __init__(self, value, low, high, count):
        self.value, self.low, self.high, self.count = value, low, high, count

    def text(self, digits=0):
        return f"{self.value:.{digits}f} [{self.low:.{digits}f},{self.high:.{digits}f}]"

    def as_dict(self):
        return {"median": self.value, "low": self.low, "high": self.high, "n": self.count}


def _bootstrap(groups, statistic, count):
    rng = random.Random(1)      # the same rounds give the same interval
    draws = []
    while len(draws) < RESAMPLES:
        drawn = statistic(rng.choices(range(groups), k=groups))
        if drawn is not None:
            draws.append(drawn)
    draws.sort()
    return Figure(statistic(range(groups)), draws[int(RESAMPLES * 0.025)],
                  draws[int(RESAMPLES * 0.975) - 1], count)


def _median(starts, chosen):
    values = [value for i in chosen for value in starts[i]]
    return statistics.median(values) if values else None


def median_of(starts):
    """starts: a list of values per start, some may be empty. None when all are."""
    count = sum(len(values) for values in starts)
    return _bootstrap(len(starts), lambda chosen: _median(starts, chosen), count) \
        if count else None


def median_of_one(values):
    """For values that are each a start of their own."""
    return median_of([[value] for value in values])


def fraction_of(starts, base):
    """Median of starts over median of base, whose lists belong to the same passes."""
    def statistic(chosen):
        top, bottom = _median(starts, chosen), _median(base, chosen)
        return top / bottom if top is not None and bottom and bottom > 0 else None
    count = sum(len(values) for values in starts)
    groups = min(len(starts), len(base))
    if not groups or statistic(range(groups)) is None:
        return None
    return _bootstrap(groups, statistic, count)


def verdict(figure, bar):
    """Judged by the median; '~' where the interval contains the bar, so noise decides."""
    word = "reached" if figure.value <= bar else "NOT reached"
    return word + (" ~" if figure.low <= bar < figure.high else "")
