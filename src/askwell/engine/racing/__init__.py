"""Race candidates on blocks of examples: which to score further, on which blocks, and when to stop.

    your loop, or engine/race.py (target calls)
        |  next_cell()            ^  which cell to run next
        v  record(cell, score)    |
    scheduler.py   keeps cells in flight; its choice doesn't depend on which answer comes first
        |  decide(layout, scores) ^  Decision(ranking, stopped, wanted)
        v                         |
    rules.py       one class per racing method; pure functions of the table
        |  fit_posterior(...)     ^  Posterior(means, covariance)
        v                         |
    posterior.py   what the known block scores say about every candidate's full dev score

    table.py       the partly filled table (candidates x blocks) that all of them read

Everything here is pure: no I/O, no clock, no randomness.
"""

from askwell.engine.racing.posterior import Posterior, fit_posterior
from askwell.engine.racing.rules import (
    RACING_RULES,
    Decision,
    ExpectedGain,
    FullEvaluation,
    PairedT,
    RacingRule,
    SuccessiveHalving,
)
from askwell.engine.racing.scheduler import RaceScheduler
from askwell.engine.racing.table import BlockCell, BlockScore, RaceLayout, Scores, block_sizes

__all__ = [
    "RACING_RULES",
    "BlockCell",
    "BlockScore",
    "Decision",
    "ExpectedGain",
    "FullEvaluation",
    "PairedT",
    "Posterior",
    "RaceLayout",
    "RaceScheduler",
    "RacingRule",
    "Scores",
    "SuccessiveHalving",
    "block_sizes",
    "fit_posterior",
]
