"""The contracts of `PromptWriter`, which writes prompts, and of `Trainer`, which trains one."""

from __future__ import annotations

import math
import random
import tempfile
from pathlib import Path

from askwell.core.errors import DataError
from askwell.core.types import Experience
from askwell.policies.protocols import PromptWriter, Trainer
from askwell.testing.expect import raises

GOOD = {"sum": "add", "word": "spell"}
"""Kind of query -> the prompt that works for it."""
BAD = "guess"
PLAIN_FILES = {".json", ".jsonl", ".txt", ".jinja", ".model", ".safetensors", ".npz", ".toml", ".md"}
"""What a saved writer may consist of: data, and no code (pickle)."""


class PromptWriterContract:
    """Inherit this class and give it a fixture `writer`, trained on `experiences`."""

    def test_each_query_gets_as_many_prompts_as_requested_and_none_is_empty(self, writer: PromptWriter) -> None:
        asked = queries(4, seed=7)
        for samples in (0, 1, 5):
            written = writer.write(asked, samples=samples, seed=1)
            assert [len(prompts) for prompts in written] == [max(1, samples)] * len(asked)
            assert all(prompt.strip() for prompts in written for prompt in prompts)
        assert writer.write([]) == []

    def test_the_same_seed_gives_the_same_prompts(self, writer: PromptWriter) -> None:
        asked = queries(4, seed=7)
        assert writer.write(asked, samples=3, seed=1) == writer.write(asked, samples=3, seed=1)
        assert writer.write(asked) == writer.write(asked, seed=2), "a greedy prompt depends on no seed"

    def test_prompts_depend_on_their_query_alone(self, writer: PromptWriter) -> None:
        asked = queries(4, seed=7)
        for samples in (0, 3):
            together = writer.write(asked, samples=samples, seed=1)
            assert writer.write(asked[::-1], samples=samples, seed=1) == together[::-1]
            assert writer.write(asked[1:2], samples=samples, seed=1) == together[1:2]

    def test_a_long_query_is_cut_and_not_refused(self, writer: PromptWriter) -> None:
        written = writer.write(["sum " * 5_000])
        assert [len(prompts) for prompts in written] == [1]
        assert written[0][0]

    def test_each_pair_gets_a_finite_value_in_order(self, writer: PromptWriter) -> None:
        pairs = [(query, prompt) for query in queries(2, seed=7) for prompt in (*GOOD.values(), BAD)]
        values = writer.value(pairs)
        assert len(values) == len(pairs)
        assert all(map(math.isfinite, values))
        backwards = writer.value(pairs[::-1])[::-1]
        assert all(math.isclose(left, right, abs_tol=1e-4) for left, right in zip(values, backwards, strict=True))

    def test_a_saved_writer_holds_data_and_no_code(self, writer: PromptWriter) -> None:
        with tempfile.TemporaryDirectory() as folder:
            writer.save(Path(folder) / "writer")
            suffixes = {path.suffix for path in (Path(folder) / "writer").rglob("*") if path.is_file()}
        assert suffixes
        assert suffixes <= PLAIN_FILES


class TrainerContract:
    """Inherit this class and give it a fixture `trainer`, made anew for each test.

    The trainer must learn a world of 20 queries of two kinds, each with a prompt of its own (`experiences`).
    """

    def test_the_writer_values_what_works_above_what_does_not(self, trainer: Trainer) -> None:
        writer = trainer.fit(experiences(20, seed=0), experiences(6, seed=1), seed=0)
        asked = queries(10, seed=99)
        good = writer.value([(query, GOOD[query.split()[0]]) for query in asked])
        bad = writer.value([(query, BAD) for query in asked])
        assert sum(good) > sum(bad)

    def test_the_same_arguments_give_the_same_writer(self, trainer: Trainer) -> None:
        asked = queries(4, seed=99)
        pairs = [(query, prompt) for query in asked for prompt in (*GOOD.values(), BAD)]
        first, second = (trainer.fit(experiences(6, seed=0), [], seed=3) for _ in range(2))
        assert first.write(asked) == second.write(asked)
        assert first.value(pairs) == second.value(pairs)

    def test_training_continues_from_its_own_writer(self, trainer: Trainer) -> None:
        first = trainer.fit(experiences(6, seed=0), [], seed=0)
        second = trainer.fit(experiences(6, seed=2), [], start=first, seed=1)
        assert len(second.write(queries(2, seed=7))) == len(queries(2, seed=7))

    def test_nothing_to_learn_from_is_refused(self, trainer: Trainer) -> None:
        with raises(DataError):
            trainer.fit([], experiences(3, seed=1))

    def test_dev_queries_that_are_also_trained_on_are_refused(self, trainer: Trainer) -> None:
        train = experiences(6, seed=0)
        with raises(DataError):
            trainer.fit(train, train[:3])


def query_of(kind: str, rng: random.Random) -> str:
    """Make up one query of a kind."""
    return f"{kind} {rng.randint(10, 99)} {rng.randint(10, 99)}"


def queries(count: int, *, seed: int) -> list[str]:
    """Make up `count` queries of each kind, in turn; of equal ones only the first stays."""
    rng = random.Random(seed)
    return list(dict.fromkeys(query_of(kind, rng) for _ in range(count) for kind in GOOD))


def experiences(count: int, *, seed: int) -> list[Experience]:
    """Return `count` queries of each kind with all prompts: a kind's own prompt works, the others fail."""
    return [
        Experience(query=query, prompt=prompt, reward=right, advantage=right)
        for query in queries(count, seed=seed)
        for prompt in (*GOOD.values(), BAD)
        for right in [float(prompt == GOOD[query.split()[0]])]
    ]
