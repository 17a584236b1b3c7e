"""LocalModel on checkpoints made here, checked against `transformers`' own forward pass and `generate`."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch and transformers are typed in part only)

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from askwell.core.errors import ConfigError, ModelError
from askwell.core.protocols import ChatModel, LikelihoodModel
from askwell.core.types import Completion, Request
from askwell.models.local import LocalModel, find_checkpoint_folder
from askwell.models.micro_batching import MicroBatcher
from askwell.testing import ChatModelContract
from tests.support.checkpoints import make_checkpoint
from tests.support.requests import ask

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def local(checkpoint: Path) -> LocalModel:
    return LocalModel(str(checkpoint), dtype="float64")


class TestContract(ChatModelContract):
    @pytest.fixture
    def model(self, local: LocalModel) -> ChatModel:
        return local


def reference(checkpoint: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float64)
    return model.eval(), AutoTokenizer.from_pretrained(checkpoint)


def templated(tokenizer: Any, user: str) -> str:
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True
    )


async def gathered(model: LocalModel, requests: Sequence[Request]) -> list[Completion]:
    try:
        return list(await asyncio.gather(*(model.complete(request) for request in requests)))
    finally:
        await model.aclose()


async def test_greedy_replies_are_those_of_generate(local: LocalModel, checkpoint: Path) -> None:
    texts = ["a", "What is 2 + 2?", "a longer question that needs padding elsewhere", "ü"]
    got = await gathered(local, [ask(text, max_tokens=20) for text in texts])
    model, tokenizer = reference(checkpoint)
    for text, completion in zip(texts, got, strict=True):
        encoded = tokenizer(templated(tokenizer, text), add_special_tokens=False, return_tensors="pt")
        new = model.generate(**encoded, max_new_tokens=20, do_sample=False)[0, encoded["input_ids"].shape[1] :].tolist()
        ended = new[-1] == tokenizer.eos_token_id
        assert completion.text == tokenizer.decode(new, skip_special_tokens=True)
        assert completion.outcome == ("ok" if ended else "truncated")
        assert completion.usage.prompt_tokens == encoded["input_ids"].shape[1]
        assert completion.usage.completion_tokens == len(new)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_replies_do_not_depend_on_the_batch(checkpoint: Path, temperature: float) -> None:
    path = str(checkpoint)
    requests = [
        ask(f"{number} " * (number % 9 + 1), temperature=temperature, max_tokens=4 + number % 13, seed=number % 3)
        for number in range(40)
    ]
    runs = [
        await gathered(LocalModel(path, dtype="float64"), requests),
        await gathered(LocalModel(path, dtype="float64", batch_size=1), requests),
        await gathered(LocalModel(path, dtype="float64", max_batch_tokens=150), requests[::-1]),
    ]
    assert runs[0] == runs[1] == runs[2][::-1]
    assert len({completion.text for completion in runs[0]}) > 10


async def test_samples_follow_the_distribution_and_the_seed(local: LocalModel, checkpoint: Path) -> None:
    import torch

    draws = [ask("a", temperature=1.5, max_tokens=1, seed=5, sample_index=sample_index) for sample_index in range(3000)]
    got = [completion.text for completion in await gathered(local, draws)]
    assert got == [completion.text for completion in await gathered(local, draws)]
    reseeded = [
        ask("a", temperature=1.5, max_tokens=1, seed=6, sample_index=sample_index) for sample_index in range(50)
    ]
    assert got[:50] != [completion.text for completion in await gathered(local, reseeded)]
    model, tokenizer = reference(checkpoint)
    ids = tokenizer(templated(tokenizer, "a"), add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        probabilities = torch.softmax(model(ids).logits[0, -1] / 1.5, dim=-1)
    expected: dict[str, float] = defaultdict(float)
    for token, probability in enumerate(probabilities.tolist()):
        expected[tokenizer.decode([token], skip_special_tokens=True)] += probability
    for text, share in expected.items():
        assert abs(got.count(text) / 3000 - share) < 5 * (share * (1 - share) / 3000) ** 0.5 + 1e-3


async def test_logprob_is_the_sum_over_the_replys_tokens(local: LocalModel, checkpoint: Path) -> None:
    import torch

    assert isinstance(local, LikelihoodModel)
    pairs = [("a", "yes"), ("a longer question", "no, never"), ("b", "x")]
    got = await asyncio.gather(*(local.logprob(ask(question), reply) for question, reply in pairs))
    assert await local.logprob(ask("a"), "") == 0.0
    await local.aclose()
    model, tokenizer = reference(checkpoint)
    for (question, reply), value in zip(pairs, got, strict=True):
        prompt = tokenizer(templated(tokenizer, question), add_special_tokens=False)["input_ids"]
        target = tokenizer(reply, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(torch.tensor([prompt + target])).logits[0], dim=-1)
        expected = sum(float(logprobs[len(prompt) + place - 1, token]) for place, token in enumerate(target))
        assert value == pytest.approx(expected, abs=1e-9)
        assert value < 0


async def test_a_prompt_longer_than_the_context_is_a_bad_request(local: LocalModel) -> None:
    [got, short] = await gathered(local, [ask("x" * 300), ask("x" * 230, max_tokens=500)])
    assert (got.outcome, got.fault) == ("failed", "bad_request")
    assert "256" in got.error
    assert short.outcome in ("ok", "truncated")
    assert short.usage.prompt_tokens + short.usage.completion_tokens <= 256
    with pytest.raises(ModelError, match="accepts 256"):
        await local.logprob(ask("x" * 300), "y")
    await local.aclose()


async def test_a_base_model_gets_plain_text(base_checkpoint: Path) -> None:
    [got] = await gathered(LocalModel(str(base_checkpoint)), [ask("ab", system="cde")])
    assert got.usage.prompt_tokens == len("cde\n\nab")


async def test_a_template_without_system_role_still_gets_the_system_text(strict_checkpoint: Path) -> None:
    folded, plain = await gathered(LocalModel(str(strict_checkpoint)), [ask("ab", system="cde"), ask("cde\n\nab")])
    assert folded == plain


def test_the_name_changes_with_the_weights_and_the_dtype(tmp_path: Path) -> None:
    path = str(make_checkpoint(tmp_path / "m", hidden=8))
    first, doubled = LocalModel(path).name, LocalModel(path, dtype="float64").name
    make_checkpoint(tmp_path / "m", hidden=8, seed=1)
    assert first.startswith(f"local:{path}#")
    assert len({first, doubled, LocalModel(path).name}) == 3


@pytest.mark.parametrize("path", ["./nowhere", "/no/such/folder", "~/no-such-checkpoint", "what is this"])
def test_unknown_folders_are_named(path: str) -> None:
    with pytest.raises(ConfigError, match="no checkpoint folder") as caught:
        LocalModel(path)
    assert repr(path) in str(caught.value)


def test_folders_that_hold_no_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="save_pretrained"):
        LocalModel(str(tmp_path))
    with pytest.raises(ConfigError, match="did you mean 'float32'"):
        LocalModel(str(tmp_path), dtype="float23")


# --- micro-batching ---------------------------------------------------------------------------------------------------


async def test_jobs_are_batched_within_bounds_and_an_error_reaches_its_batch_only() -> None:
    batches: list[list[int]] = []

    def run(jobs: Sequence[int]) -> list[int]:
        batches.append(list(jobs))
        if 1 in jobs:
            raise ValueError("a one")
        return [job * 2 for job in jobs]

    with ThreadPoolExecutor(1) as thread:
        batcher = MicroBatcher(run, lambda job: job, lambda: thread, batch_size=4, max_cost=20)
        jobs = [1, 2, 3, 9, 9, 30, 5, 5, 5, 5, 5, 2]
        got = await asyncio.gather(*(batcher.submit(job) for job in jobs), return_exceptions=True)
    assert all(len(batch) <= 4 and (len(batch) * max(batch) <= 20 or len(batch) == 1) for batch in batches)
    assert sorted(job for batch in batches for job in batch) == sorted(jobs)
    [spoiled] = [batch for batch in batches if 1 in batch]
    for job, result in zip(jobs, got, strict=True):
        assert result == job * 2 or (job in spoiled and isinstance(result, ValueError))
    assert len(batches) < 8


@pytest.mark.parametrize("name", ["model.gguf", "MODEL.GGUF", "deep/model.Q4_K_M.gguf", "missing.gguf"])
def test_gguf_weights_are_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if "missing" not in name:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"GGUF")
    places = [path] if "missing" in name else [path, path.parent]
    for place in places:
        with pytest.raises(ConfigError, match=rf"GGUF weights \({path.name}\).*llama-server.*llama\.cpp:NAME.*convert"):
            find_checkpoint_folder(str(place))


def test_a_checkpoint_beside_gguf_weights_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert find_checkpoint_folder(str(tmp_path)) == tmp_path
