"""What the naive oracle would reach by luck alone: a world with hard queries and good prompts, and no interaction.

The Rasch model: P(right) = sigmoid(ability of the prompt + ease of the query), ease normal. Its two effects are fitted
to the data by moments; draws are then simulated, and the best observed rate of each query is averaged.
"""

from __future__ import annotations

from askwell.policies.data.arrays import Floats, np
from askwell.policies.data.table import OutcomeTable

SPREADS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0)
"""Standard deviations of query ease that are tried, in logits."""

NODES = 41


def simulate_chance_oracle(table: OutcomeTable, *, seed: int, simulations: int = 50) -> float:
    """Mean best observed rate per query, were there no interaction between query and prompt.

    Exchangeable queries are simulated with the table's own numbers of draws. Needs a table without missing pairs.
    """
    means = np.clip(table.prompt_means(), 1e-3, 1 - 1e-3)
    spread = _spread(table, means)
    ability = _abilities(means, spread)
    rng = np.random.default_rng(seed)
    repeats = table.repeats.astype(np.int64)
    best = 0.0
    for _ in range(simulations):
        ease = rng.normal(0.0, spread, size=(len(table.queries), 1))
        right = rng.binomial(repeats, _sigmoid(ability + ease))
        best += float((right / repeats).max(axis=1).mean()) / simulations
    return best


def _spread(table: OutcomeTable, means: Floats) -> float:
    """The spread whose covariance between prompts is the observed one (free of noise: draws are independent)."""
    centred = table.rates() - means
    covariance = centred.T @ centred / max(len(centred) - 1, 1)
    off = ~np.eye(len(means), dtype=bool)
    observed = float(covariance[off].mean())
    ease, weights = _nodes()

    def predicted(spread: float) -> float:
        chances = _sigmoid(_abilities(means, spread)[None, :] + spread * ease[:, None])
        deviations = chances - means
        return float(np.einsum("kp,kq,k->pq", deviations, deviations, weights)[off].mean())

    found = [predicted(spread) for spread in SPREADS]
    return float(np.interp(observed, np.maximum.accumulate(found), SPREADS))


def _abilities(means: Floats, spread: float) -> Floats:
    """The ability in logits that gives each prompt its observed mean, by bisection."""
    ease, weights = _nodes()
    low, high = np.full_like(means, -60.0), np.full_like(means, 60.0)
    for _ in range(60):
        middle = (low + high) / 2
        reached = weights @ _sigmoid(middle[None, :] + spread * ease[:, None])
        low, high = np.where(reached < means, middle, low), np.where(reached < means, high, middle)
    return (low + high) / 2


def _nodes() -> tuple[Floats, Floats]:
    """Points and weights for expectations under the standard normal (Gauss-Hermite)."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return points, weights / weights.sum()


def _sigmoid(logits: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
