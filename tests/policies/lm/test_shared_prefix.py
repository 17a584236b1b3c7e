"""Shared-prefix training: the packed row and the padded rows have the same loss and the same gradients."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# (torch is typed in part only)

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - after the skip
from torch.nn.functional import cross_entropy  # noqa: E402

from askwell.policies.lm.model import PolicyModel, assemble_model, build_policy_model  # noqa: E402
from askwell.policies.lm.shared_prefix import QueryGroup, Suffix, collate_packed, collate_padded  # noqa: E402
from askwell.policies.lm.tokenization import PolicyTokenizer  # noqa: E402
from askwell.policies.settings import ModelSettings  # noqa: E402
from tests.support.checkpoints import make_checkpoint  # noqa: E402

QUERIES = ("7, 12, 3", "We tried the soup. It was superb.", "a")
PROMPTS = (("What is the largest number?", 1.3), ("Sort.", None), ("Is it positive or negative, and why?", -0.4))


@pytest.fixture(params=["gpt2", "llama", "pocket"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[PolicyModel, PolicyTokenizer]:
    base = request.param
    if base != "pocket":
        base = str(make_checkpoint(tmp_path, architecture=base, context=128))
    settings = ModelSettings(base=base, max_query_tokens=64, max_prompt_tokens=40, device="cpu")
    model, base_tokenizer = build_policy_model(settings, seed=0)
    torch.nn.init.normal_(model.segments.weight, std=0.1)
    torch.nn.init.normal_(model.value_head.weight, std=0.1)
    return model.eval(), PolicyTokenizer(base_tokenizer, settings)


def groups(tokenizer: PolicyTokenizer) -> list[QueryGroup]:
    """Queries of different lengths, with one, two and three prompts."""
    return [
        QueryGroup(
            query=tokenizer.encode_query(query),
            suffixes=tuple(
                Suffix(
                    condition_tokens=tokenizer.encode_condition(),
                    prompt=tokenizer.encode_prompt(prompt),
                    condition=condition,
                )
                for prompt, condition in PROMPTS[: number + 1]
            ),
        )
        for number, query in enumerate(QUERIES)
    ]


def loss_of(model: PolicyModel, tokenizer: PolicyTokenizer, *, packed: bool) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    batch = model.collate(groups(tokenizer), packed=packed)
    hidden = model.hidden(batch)
    loss = cross_entropy(model.logits(hidden), batch.labels_M) + model.values(hidden[batch.last_P]).square().mean()
    loss.backward()
    return loss.detach(), {
        name: weights.grad.clone() for name, weights in model.named_parameters() if weights.grad is not None
    }


def test_packed_and_padded_have_the_same_loss_and_gradients(model: tuple[PolicyModel, PolicyTokenizer]) -> None:
    padded_loss, padded = loss_of(*model, packed=False)
    packed_loss, packed = loss_of(*model, packed=True)
    torch.testing.assert_close(packed_loss, padded_loss, atol=1e-5, rtol=0)
    assert packed.keys() == padded.keys()
    assert any(name.startswith("condition") for name in padded)
    for name, gradient in padded.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-4, rtol=1e-4, msg=name)


def test_a_suffix_sees_its_query_and_itself_only(model: tuple[PolicyModel, PolicyTokenizer]) -> None:
    policy, tokenizer = model
    together = policy.collate(groups(tokenizer), packed=True)
    hidden = policy.hidden(together)
    for number, group in enumerate(groups(tokenizer)):
        alone = policy.collate([QueryGroup(query=group.query, suffixes=group.suffixes[-1:])], packed=True)
        suffix = sum(len(other.suffixes) for other in groups(tokenizer)[: number + 1]) - 1
        torch.testing.assert_close(policy.hidden(alone), hidden[together.suffix_M == suffix], atol=1e-5, rtol=1e-4)


def test_the_packed_row_holds_each_query_once_and_no_padding() -> None:
    suffix = Suffix(condition_tokens=(9,), prompt=(5, 6), condition=0.5)
    short = QueryGroup(query=(1,), suffixes=(suffix,))
    long = QueryGroup(query=(1, 2, 3), suffixes=(suffix, suffix))
    packed, padded = collate_packed([short, long], end_id=0), collate_padded([short, long], end_id=0)
    assert packed.ids_BT.tolist() == [[1, 9, 5, 6, 1, 2, 3, 9, 5, 6, 9, 5, 6]]
    assert packed.positions_BT.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 3, 4, 5]]
    assert padded.ids_BT.tolist() == [[1, 9, 5, 6, 0, 0], [1, 2, 3, 9, 5, 6], [1, 2, 3, 9, 5, 6]]
    assert packed.labels_M.tolist() == padded.labels_M.tolist() == [5, 6, 0] * 3
    ids = packed.ids_BT.flatten()
    assert ids[packed.predicting_M].tolist() == [9, 5, 6] * 3
    assert ids[packed.predicting_M[packed.last_P]].tolist() == [6, 6, 6]


def test_a_base_with_an_attention_of_its_own_gets_one_row_per_pair(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import AutoTokenizer, GPTJConfig, GPTJForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint(tmp_path))
    config = GPTJConfig(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=4, rotary_dim=8, n_positions=512)
    model = assemble_model(GPTJForCausalLM(config).eval(), tokenizer, ModelSettings(base="gptj"), seed=0)
    assert not model.shares_prefixes
    assert "an attention of its own" in caplog.text
    suffix = Suffix(condition_tokens=(9,), prompt=(5, 6), condition=0.5)
    assert model.collate([QueryGroup(query=(1,), suffixes=(suffix, suffix))], packed=True).ids_BT.shape == (2, 4)
