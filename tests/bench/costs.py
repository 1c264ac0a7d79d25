# SPDX-License-Identifier: GPL-2.0-only
"""Time added per fault (or per other system call): each tracer against untraced.

A tracer takes 0.1 to 1 s to start and a round 25 ms, so a tracer cannot be switched on and off
for each round. One start gives five pairs instead:

    w w U U U U U   start, settle   w w T T T T T   stop, settle   w w U U U U U

Difference i is T[i] minus the mean of the U[i] before and the U[i] after, so that a drift over
the block cancels; the U after one tracer are the U before the next. The rounds w are thrown
away: with none before U and one before T, a tracer that does nothing came out at -10 ns, since a
process that starts or ends shuffles the free lists; with two before each it is 0 +-5 ns. The
order of the tracers turns by one at every pass.

What gives the smallest interval was measured on 2 virtual CPUs with `perf record` (it added
250 ns); the interval is a bootstrap over starts, figures are half its width:
  pages per round   60 pairs, 5 per start. 1,024: 58 %; 4,096: 40 %; 16,384: 3 to 7 % in 13 s;
                    65,536: 3 % in 29 s. Small rounds run on pages that the CPU's caches still
                    hold, which is faster by a third until something shuffles the free lists.
  pairs per start   60 pairs of 4,096 pages. 1: 4 % in 48 s; 3: 10 % in 17 s; 5: 40 % in 10 s.
                    Starts differ more than the rounds of one do (a machine's phases last for
                    seconds), so it is starts that count: about 20 of them fit into the time.
  quiet blocks only a block whose U before and U after differ by more than 3 % (this looks at no
                    traced round) is measured again: 3 % where all blocks gave 5 %.
  run delay         faultloop leaves out the time that others had its CPU: with a load of 6 on
                    the 2 CPUs, 4 %; without that, no figure at all.
"""
import statistics
import time

from figures import median_of
from tracers import Unavailable

SETTLE_S = 0.05
WARM_ROUNDS = 2
DRIFT_LIMIT = 0.03
EXTRA_PASSES = 1.5      # at most so many times the passes asked for, to replace noisy blocks,
EXTRA_UNTIL_S = 240     # and none begun later than this


class Block:
    """One start of a tracer: the rounds before it, under it and after it."""

    def __init__(self, before, traced, after):
        self.before, self.traced, self.after = before, traced, after

    def drift(self):
        """How far apart the untraced rounds before and after are, as a fraction."""
        first, last = statistics.median(self.before), statistics.median(self.after)
        return abs(first - last) / min(first, last)

    def quiet(self):
        return self.drift() <= DRIFT_LIMIT

    def pairs(self):
        """(untraced, traced)"""
        return [((b + a) / 2, t) for b, a, t in zip(self.before, self.after, self.traced)]


class Cost:
    """What one tracer costs: a block for every pass, and what the tracer saw."""

    def __init__(self, tracer, wanted_pairs):
        self.tracer, self.wanted_pairs = tracer, wanted_pairs
        self.blocks, self.attach_s, self.seen, self.lost = [], [], [], {}
        self.why_not = None

    def quiet_pairs(self):
        return sum(len(block.traced) for block in self.blocks if block.quiet())

    def complete(self):
        return self.why_not is not None or self.quiet_pairs() >= self.wanted_pairs

    def starts(self):
        """Pairs per pass: of the quiet blocks; where those are too few, of the quietest that
        give enough."""
        limit, pairs = DRIFT_LIMIT, 0
        for block in sorted(self.blocks, key=Block.drift):
            if pairs >= self.wanted_pairs:
                break
            pairs += len(block.traced)
            limit = max(limit, block.drift())
        return [block.pairs() if block.drift() <= limit else [] for block in self.blocks]

    def too_noisy(self):
        """Most of what the figures stand on comes from blocks that were not quiet."""
        used = sum(map(len, self.starts()))
        return self.quiet_pairs() < used / 2

    def added(self):
        return [[t - u for u, t in pairs] for pairs in self.starts()]

    def added_figure(self):
        return median_of(self.added())

    def ratio_figure(self):
        return median_of([[t / u for u, t in pairs] for pairs in self.starts()])

    def note_seen(self, expected):
        seen = self.tracer.seen()
        if seen is not None and expected:
            self.seen.append(seen / expected)
        for reason, count in (self.tracer.lost() or {}).items():
            self.lost[reason] = self.lost.get(reason, 0) + count

    def as_dict(self):
        if self.why_not:
            return {"not_measured": self.why_not}
        return {"command": " ".join(self.tracer.argv()), "attach_s": self.attach_s,
                "seen_ratio": self.seen, "lost": self.lost,
                "blocks": [{"before": b.before, "traced": b.traced, "after": b.after}
                           for b in self.blocks]}


def _rounds(loop, command, pairs):
    loop.rounds(command, WARM_ROUNDS)
    return loop.rounds(command, pairs)


def _traced_rounds(loop, command, pairs, cost):
    """One start of a tracer; its rounds, or None when it cannot be measured."""
    tracer = cost.tracer
    tracer.load_pid = loop.process.pid
    try:
        tracer.start()
    except Unavailable as why:
        cost.why_not = str(why)
        return None
    try:
        time.sleep(SETTLE_S)
        before = loop.faults
        values = _rounds(loop, command, pairs)
        faults = loop.faults - before
    finally:
        tracer.stop()
    time.sleep(SETTLE_S)
    cost.attach_s.append(tracer.attach_s)
    cost.note_seen(faults if command == "fault" else 0)
    return values


def measure(loop, command, tracers, plan, progress):
    """Gives ({name: Cost}, [untraced rounds of each block])."""
    costs = {t.name: Cost(t, plan.passes * plan.pairs if t.judged else plan.few_pairs)
             for t in tracers}
    loop.rounds(command, plan.pairs)
    before = _rounds(loop, command, plan.pairs)
    untraced, number = [before], 0
    begun = time.monotonic()
    while number < plan.passes or (number < plan.passes * EXTRA_PASSES and
                                   time.monotonic() < begun + EXTRA_UNTIL_S and
                                   not all(c.complete() for c in costs.values())):
        turn = number % len(tracers)
        number += 1
        for tracer in tracers[turn:] + tracers[:turn]:
            cost = costs[tracer.name]
            if cost.complete():
                continue
            progress(f"{command}, pass {number} of {plan.passes}: {tracer.name}")
            traced = _traced_rounds(loop, command, plan.pairs, cost)
            if traced is None:
                continue
            after = _rounds(loop, command, plan.pairs)
            untraced.append(after)
            cost.blocks.append(Block(before, traced, after))
            before = after
    return costs, untraced
