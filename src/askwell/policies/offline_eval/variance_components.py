"""What makes one scored answer differ from another: the query, the prompt, their interaction, or luck."""

from __future__ import annotations

from dataclasses import dataclass

from askwell.policies.data.arrays import np
from askwell.policies.data.noise import estimate_noise
from askwell.policies.data.table import OutcomeTable


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceShares:
    """Shares of the variance of a single draw; they add up to 1."""

    query: float
    prompt: float
    interaction: float
    """The part that a query-level policy lives on. NaN without repeats: it can't be told from noise."""
    noise: float
    """Without repeats: noise and interaction together."""


def estimate_variance_shares(table: OutcomeTable) -> VarianceShares:
    """Split the variance of one draw by moments; works on incomplete tables.

    query: mean covariance, over queries, between two different prompts (noise is independent, so it drops out).
    prompt: variance of the prompts' means less their sampling error. interaction: the rest of the cells' true variance.
    """
    rates, tried = np.nan_to_num(table.rates()), table.tried
    counts = np.maximum(tried.sum(axis=0), 1)
    means = table.prompt_means()
    centred = np.where(tried, rates - means, 0.0)
    noise = estimate_noise(table)
    pairs = tried.T.astype(float) @ tried.astype(float)
    cross = centred.T @ centred
    off = ~np.eye(len(means), dtype=bool) & (pairs > 1)
    query = max(float(cross[off].sum() / (pairs[off] - 1).sum()), 0.0) if off.any() else 0.0
    observed = float((centred**2).sum() / max(tried.sum() - len(means), 1))
    luck = float(np.where(tried, noise / np.maximum(table.repeats, 1), 0.0).sum() / tried.sum())
    interaction = max(observed - luck - query, 0.0)
    sampling = float(((observed - query) / counts).mean())
    prompt = max(float(np.var(means, ddof=1)) - sampling, 0.0) if len(means) > 1 else 0.0
    draw = float(noise.mean())
    if not (table.repeats > 1).any():
        interaction, draw = float("nan"), max(observed - query, 0.0)
    total = query + prompt + draw + (0.0 if np.isnan(interaction) else interaction)
    if total <= 0.0:
        return VarianceShares(query=0.0, prompt=0.0, interaction=0.0, noise=1.0)
    return VarianceShares(
        query=query / total, prompt=prompt / total, interaction=interaction / total, noise=draw / total
    )
