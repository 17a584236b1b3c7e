"""The trust region, and the word budget that follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askwell.core.errors import ConfigError
from askwell.core.text import edit_distance
from askwell.core.trajectory import Trajectory
from askwell.core.types import Candidate, Prompt
from askwell.optimizers.gpo.presets import preset_settings
from askwell.optimizers.gpo.trust_region import BUDGET_RULES, RESTART, TrustRegion, compute_radius
from askwell.testing.fakes import ScriptedModel
from tests.support.gpo_steps import gpo, history, sent

scores = st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7]), min_size=1, max_size=12)


def region(least: float, up: float, over: float, widen: float, shrink: float) -> TrustRegion:
    return TrustRegion(first=least + up, least=least, most=least + up + over, widen=widen, shrink=shrink)


regions = st.builds(region, st.floats(0.1, 1), st.floats(0, 2), st.floats(0, 2), st.floats(1, 3), st.floats(0.1, 1))


def steps(values: list[float], origin: str = "") -> Trajectory:
    return Trajectory(
        candidates=tuple(
            Candidate(step=step, prompt=Prompt(instruction=f"Prompt {step}."), score=value, n=9, origin=origin)
            for step, value in enumerate(values)
        )
    )


@given(scores, regions)
def test_the_region_stays_within_its_bounds(values: list[float], trust: TrustRegion):
    assert trust.least <= compute_radius(steps(values), trust) <= trust.most


@given(scores, regions)
def test_a_success_widens_it_and_a_failure_shrinks_it(values: list[float], trust: TrustRegion):
    before = compute_radius(steps(values), trust)
    assert compute_radius(steps([*values, max(values) + 0.1]), trust) == min(trust.most, before * trust.widen)
    assert compute_radius(steps([*values, min(values)]), trust) == max(trust.least, before * trust.shrink)


@given(scores, scores, regions)
def test_the_region_is_a_fold_of_the_steps_alone(values: list[float], more: list[float], trust: TrustRegion):
    whole = steps([*values, *more])
    head = Trajectory(candidates=whole.candidates[: len(values)])
    assert compute_radius(head, trust) == compute_radius(steps(values), trust)
    assert compute_radius(steps(values[:1]), trust) == trust.first


@given(scores, regions)
def test_the_region_is_reset_after_a_restart(values: list[float], trust: TrustRegion):
    past = steps(values)
    restarted = Candidate(step=len(values), prompt=Prompt(instruction="New."), score=0.0, n=9, origin=RESTART)
    assert compute_radius(past.extended([restarted]), trust) == trust.first


def test_a_candidate_that_lost_a_race_early_is_no_success():
    lucky = Candidate(step=1, prompt=Prompt(instruction="L."), score=1.0, n=2, partial=True)
    assert compute_radius(steps([0.5]).extended([lucky]), TrustRegion()) < TrustRegion().first


def test_a_step_that_wins_by_its_length_alone_is_no_success():
    better = Candidate(step=1, prompt=Prompt(instruction="Longer."), score=0.52, n=9, penalty=0.05)
    assert compute_radius(steps([0.5]).extended([better]), TrustRegion()) < TrustRegion().first


@given(st.integers(1, 200), scores)
def test_the_budget_is_relative_to_the_prompts_length(length: int, values: list[float]):
    schedule = preset_settings("gpo").budget_schedule
    parent = Candidate(step=0, prompt=Prompt(instruction="word " * length), score=0.5, n=9)
    found = BUDGET_RULES["trust"](steps(values), parent, schedule)
    assert found == max(
        1, round(compute_radius(steps(values), schedule.trust) * max(length, schedule.trust.basis_words))
    )


@pytest.mark.parametrize(
    "change",
    [{"least": 0.0}, {"least": 3.0}, {"most": 1.0}, {"widen": 0.9}, {"shrink": 1.1}, {"shrink": 0.0},
     {"basis_words": 0}],
)  # fmt: skip
def test_invalid_regions_are_refused(change: dict[str, float]):
    with pytest.raises(ConfigError, match=next(iter(change))):
        TrustRegion(**change)  # type: ignore[arg-type]


async def test_generation_early_and_local_edits_once_the_region_has_shrunk():
    model = ScriptedModel(lambda r: f"<START>{'word ' * 50}{r.sample_index}<END>")
    optimizer = gpo(model, schedule="trust", refinement="staged", candidates=1)
    start = "word " * 30
    wide = await optimizer.propose(history((start, 0.5)), seed=1)
    assert wide[0].origin == "generation"
    assert "at most 60 words" in sent(model)
    narrow = await optimizer.propose(history((start, 0.5), *[(f"{start}{n}", 0.4) for n in range(4)]), seed=1)
    assert narrow[0].origin == "editing"
    assert "at most 16 words" in sent(model)  # 31 words x max(0.5, 2 x 0.7^4)


async def test_an_enforced_trust_region_bounds_the_changes():
    model = ScriptedModel(lambda r: f"<START>{'word ' * (10 * r.sample_index)}<END>")
    found = await gpo(model, schedule="trust", budget_mode="enforce", resamples=0).propose(
        history(("word " * 20, 0.5)), seed=1
    )
    kept = [p for p in found if not p.rejected]
    assert kept
    assert all(edit_distance("word " * 20, p.prompt.instruction) <= 40 for p in kept)
    assert len(kept) < len(found)
