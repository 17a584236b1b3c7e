"""Policies, scorers, and what writes prompts keep their contracts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from askwell.core.protocols import Policy
from askwell.core.types import Example, Prompt
from askwell.policies.data.outcomes import OutcomeRow, merge
from askwell.policies.fallback_policy import FallbackPolicy
from askwell.policies.fallback_threshold import never_switch
from askwell.policies.fixed import FixedPolicy, NearestDemos
from askwell.policies.lm.launch import MultiProcessTrainer
from askwell.policies.lm.train import LanguageModelTrainer
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.policies.selection.base import FitScorer
from askwell.policies.selection.registry import FITS, restore_scorer
from askwell.policies.selection.selection import SelectionPolicy, fit_selection
from askwell.policies.selector_writer import fit_selector
from askwell.tasks.demos import Demos
from askwell.testing import PolicyContract, PromptWriterContract, ScorerContract, TrainerContract
from askwell.testing.prompt_writer import BAD, experiences
from askwell.testing.scorer import Restore, make_table
from tests.support.prompt_writers import TableTrainer
from tests.support.trained_policies import QUICK, tiny

BASELINE_PROMPT = Prompt(instruction=BAD)
OUTCOMES = merge(
    OutcomeRow(query=experience.query, prompt=experience.prompt, total=experience.reward, repeats=1)
    for experience in experiences(30, seed=0)
)


@cache
def selection(scorer: str) -> SelectionPolicy:
    return fit_selection(make_table(), scorer=scorer, seed=0)


@pytest.fixture(scope="module")
def language_model_writer(tmp_path_factory: pytest.TempPathFactory) -> PromptWriter:
    pytest.importorskip("torch")
    settings = replace(QUICK, epochs=2)
    return LanguageModelTrainer(settings, tiny(tmp_path_factory.mktemp("base"))).fit(experiences(6, seed=0), [])


@pytest.fixture(scope="module")
def selector() -> PromptWriter:
    pytest.importorskip("sklearn")
    writer = fit_selector(OUTCOMES, baseline=BAD, seed=0)
    assert writer is not None
    return writer


class TestFixedPolicy(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        return FixedPolicy(prompt=BASELINE_PROMPT)


class TestNearestDemos(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        train = tuple(Example(id=f"e{index}", input=f"Sum {index} and 4.", target=str(index + 4)) for index in range(9))
        return NearestDemos(prompt=BASELINE_PROMPT, train=train, demos=Demos(choice="nearest", count=2))


class TestFallbackPolicy(PolicyContract):
    @pytest.fixture
    def policy(self) -> Policy:
        writer = TableTrainer().fit(experiences(6, seed=0), [])
        return FallbackPolicy(
            writer=writer, baseline=BASELINE_PROMPT, fallback=replace(never_switch(), margin=0.1), samples=3
        )


@pytest.mark.parametrize("name", sorted(FITS), scope="class")
class TestSelectionPolicy(PolicyContract):
    @pytest.fixture
    def policy(self, name: str) -> Policy:
        pytest.importorskip("sklearn")
        return selection(name)


@pytest.mark.parametrize("name", sorted(FITS), scope="class")
class TestScorers(ScorerContract):
    @pytest.fixture
    def fit(self, name: str) -> FitScorer:
        pytest.importorskip("sklearn")
        return FITS[name]

    @pytest.fixture
    def restore(self) -> Restore:
        return restore_scorer


class TestSelectorWriter(PromptWriterContract):
    @pytest.fixture
    def writer(self, selector: PromptWriter) -> PromptWriter:
        return selector


class TestTableWriter(PromptWriterContract):
    @pytest.fixture
    def writer(self) -> PromptWriter:
        return TableTrainer().fit(experiences(20, seed=0), [])


class TestTableTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self) -> Trainer:
        return TableTrainer()


class TestLanguageModelWriter(PromptWriterContract):
    @pytest.fixture
    def writer(self, language_model_writer: PromptWriter) -> PromptWriter:
        return language_model_writer


class TestLanguageModelTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> Trainer:
        pytest.importorskip("torch")
        return LanguageModelTrainer(QUICK, tiny(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # trl still uses names that transformers is about to drop
class TestPreferenceTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> Trainer:
        pytest.importorskip("trl", reason="objective='dpo' needs the dpo extra")
        return LanguageModelTrainer(replace(QUICK, objective="dpo"), tiny(tmp_path))


@pytest.mark.long
class TestMultiProcessTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> Trainer:
        pytest.importorskip("torch")
        trainer = LanguageModelTrainer(QUICK, tiny(tmp_path / "base"))
        return MultiProcessTrainer(trainer=trainer, processes=2, folder=tmp_path / "fit")
