"""GPO with the bundled rewriter on synthetic score functions: better than random sampling at equal cost."""

from statistics import mean

import pytest

from askwell.core.types import Prompt
from askwell.models.bundled.editor import EditorModel
from askwell.optimizers.gpo.optimizer import GPO
from askwell.optimizers.gpo.presets import preset_settings
from tests.support.gpo_simulation import NUMBERS, START, WORDS, Landscape, optimize, q_end, sample_best

STEPS = 9
LANDSCAPES = {
    "one phrase, and others do little harm": (WORDS, Landscape(gains={"Return the longest word.": 0.8})),
    "one phrase, and others conflict": (NUMBERS, Landscape(gains={"Count the even numbers.": 0.8}, conflict=True)),
    "two wordings, and others conflict": (
        WORDS,
        Landscape(
            gains={"Count the animals in the list.": 0.8, "How many of the words are animals?": 0.7}, conflict=True
        ),
    ),
}


@pytest.mark.parametrize("name", sorted(LANDSCAPES))
async def test_improves_most_seeds_and_beats_random_sampling_at_equal_budget(name: str):
    examples, landscape = LANDSCAPES[name]
    settings = preset_settings("gpo", total_steps=STEPS)
    found: list[float] = []
    drawn: list[float] = []
    for seed in range(20):
        gpo = GPO(model=EditorModel(), train=examples, render=q_end, settings=settings)
        history = await optimize(gpo, landscape, steps=STEPS, seed=seed)
        found.append(history.best.score)
        drawn.append(sample_best(landscape, prompts=len(history), seed=seed))
    start = landscape.score(Prompt(instruction=START))
    assert sum(score > start + 0.1 for score in found) >= 13
    assert mean(found) > mean(drawn) + 0.1


async def test_the_same_seed_gives_the_same_run():
    examples, landscape = LANDSCAPES["one phrase, and others conflict"]
    gpo = GPO(model=EditorModel(), train=examples, render=q_end)
    first, second, other = [await optimize(gpo, landscape, steps=3, seed=seed) for seed in (1, 1, 2)]
    assert first == second != other
