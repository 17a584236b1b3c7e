"""GPO presets by name."""

import pytest

from askwell.core.errors import ConfigError
from askwell.models.bundled.editor import EditorModel
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import PRESETS, preset_settings
from tests.optimizers.gpo.test_optimizer import JudgeByTable
from tests.support.gpo_simulation import NUMBERS, Landscape, optimize, q_end


def test_gpo_is_the_papers_best_combination():
    gpo = PRESETS["gpo"]
    assert (gpo.direction, gpo.momentum, gpo.refinement) == ("P+M", "relevance", "generation")
    assert (gpo.schedule, gpo.warmup_share, gpo.first_words, gpo.final_words) == ("cosine", 0.0, 50, 10)
    assert (gpo.candidates, gpo.trajectory_size, gpo.exemplars, gpo.batch) == (8, 7, 3, 8)
    assert (gpo.temperature, gpo.max_tokens, gpo.budget_mode) == (1.0, 512, "ask")


def test_the_published_optimizers_have_their_settings():
    assert (PRESETS["ape"].direction, PRESETS["ape"].momentum, PRESETS["ape"].refinement) == ("P", "none", "resampling")
    assert (PRESETS["opro"].momentum, PRESETS["opro"].refinement) == ("importance", "generation")
    assert (PRESETS["pe2"].direction, PRESETS["pe2"].schedule) == ("P+M+R", "fixed")
    assert (PRESETS["sgdm"].direction, PRESETS["sgdm"].momentum) == ("P+M+R", "summarization")
    assert {PRESETS["control-random"].momentum, PRESETS["control-shuffled"].momentum} == {"random", "shuffled"}


def test_all_presets_have_the_same_number_of_candidates():
    assert {settings.candidates for settings in PRESETS.values()} == {8}


def test_an_unknown_name_or_field_is_refused_with_the_nearest_match():
    with pytest.raises(ConfigError, match="did you mean 'opro'"):
        preset_settings("oprо")
    with pytest.raises(ConfigError, match="did you mean 'candidates'"):
        preset_settings("gpo", candidate=4)


@pytest.mark.parametrize("name", sorted(PRESETS))
async def test_every_preset_runs_with_the_bundled_rewriter(name: str):
    judge = JudgeByTable([example.id for example in NUMBERS[::2]])
    settings = preset_settings(name, total_steps=3, candidates=3)
    gpo = GPO(model=EditorModel(), train=NUMBERS, render=q_end, settings=settings, run_prompt=judge)
    history = await optimize(gpo, Landscape(gains={}), steps=3, seed=1)
    assert len(history) >= 1 + 3
    assert history.next_step == 4
