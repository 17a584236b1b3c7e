"""Shared-prefix training: the packed row and the plain rows are the same loss and the same gradients."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# (torch is typed in part only)

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - after the skip
from torch.nn.functional import cross_entropy  # noqa: E402

from askwell.policies.lm.model import PolicyModel, assemble, build  # noqa: E402
from askwell.policies.lm.shared_prefix import Group, Suffix, lay_packed, lay_plain  # noqa: E402
from askwell.policies.lm.tokenization import Texts  # noqa: E402
from askwell.policies.settings import ModelSettings  # noqa: E402
from tests.support.checkpoints import make_checkpoint  # noqa: E402

QUERIES = ("7, 12, 3", "We tried the soup. It was superb.", "a")
PROMPTS = (("What is the largest number?", 1.3), ("Sort.", None), ("Is it positive or negative, and why?", -0.4))


@pytest.fixture(params=["gpt2", "llama", "pocket"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[PolicyModel, Texts]:
    base = request.param
    if base != "pocket":
        base = str(make_checkpoint(tmp_path, architecture=base, context=128))
    settings = ModelSettings(base=base, max_query_tokens=64, max_prompt_tokens=40, device="cpu")
    model, tokenizer = build(settings, seed=0)
    torch.nn.init.normal_(model.segments.weight, std=0.1)
    torch.nn.init.normal_(model.value_head.weight, std=0.1)
    return model.eval(), Texts(tokenizer, settings)


def groups(texts: Texts) -> list[Group]:
    """Queries of different lengths, with one, two and three prompts."""
    return [
        Group(
            query=texts.query(query),
            tails=tuple(
                Suffix(lead=texts.lead(), prompt=texts.prompt(prompt), condition=condition)
                for prompt, condition in PROMPTS[: number + 1]
            ),
        )
        for number, query in enumerate(QUERIES)
    ]


def loss_of(model: PolicyModel, texts: Texts, *, packed: bool) -> tuple[Tensor, dict[str, Tensor]]:
    model.zero_grad()
    laid = model.lay(groups(texts), packed=packed)
    hidden = model.hidden(laid)
    loss = cross_entropy(model.logits(hidden), laid.labels_M) + model.values(hidden[laid.last_P]).square().mean()
    loss.backward()
    return loss.detach(), {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def test_packed_and_plain_have_the_same_loss_and_gradients(model: tuple[PolicyModel, Texts]) -> None:
    plain_loss, plain = loss_of(*model, packed=False)
    packed_loss, packed = loss_of(*model, packed=True)
    torch.testing.assert_close(packed_loss, plain_loss, atol=1e-5, rtol=0)
    assert packed.keys() == plain.keys()
    assert any(name.startswith("condition") for name in plain)
    for name, gradient in plain.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-4, rtol=1e-4, msg=name)


def test_a_tail_sees_its_query_and_itself_only(model: tuple[PolicyModel, Texts]) -> None:
    policy, texts = model
    together = policy.lay(groups(texts), packed=True)
    hidden = policy.hidden(together)
    for number, group in enumerate(groups(texts)):
        alone = policy.lay([Group(query=group.query, tails=group.tails[-1:])], packed=True)
        tail = sum(len(other.tails) for other in groups(texts)[: number + 1]) - 1
        torch.testing.assert_close(policy.hidden(alone), hidden[together.tail_M == tail], atol=1e-5, rtol=1e-4)


def test_the_packed_row_holds_each_query_once_and_no_padding() -> None:
    tail = Suffix(lead=(9,), prompt=(5, 6), condition=0.5)
    short = Group(query=(1,), tails=(tail,))
    long = Group(query=(1, 2, 3), tails=(tail, tail))
    packed, plain = lay_packed([short, long], end_id=0), lay_plain([short, long], end_id=0)
    assert packed.ids_BT.tolist() == [[1, 9, 5, 6, 1, 2, 3, 9, 5, 6, 9, 5, 6]]
    assert packed.positions_BT.tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 3, 4, 5]]
    assert plain.ids_BT.tolist() == [[1, 9, 5, 6, 0, 0], [1, 2, 3, 9, 5, 6], [1, 2, 3, 9, 5, 6]]
    assert packed.labels_M.tolist() == plain.labels_M.tolist() == [5, 6, 0] * 3
    ids = packed.ids_BT.flatten()
    assert ids[packed.predicting_M].tolist() == [9, 5, 6] * 3
    assert ids[packed.predicting_M[packed.last_P]].tolist() == [6, 6, 6]


def test_a_base_with_an_attention_of_its_own_gets_a_row_a_pair(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import AutoTokenizer, GPTJConfig, GPTJForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint(tmp_path))
    config = GPTJConfig(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=4, rotary_dim=8, n_positions=512)
    model = assemble(GPTJForCausalLM(config).eval(), tokenizer, ModelSettings(base="gptj"), seed=0)
    assert not model.shares
    assert "an attention of its own" in caplog.text
    tail = Suffix(lead=(9,), prompt=(5, 6), condition=0.5)
    assert model.lay([Group(query=(1,), tails=(tail, tail))], packed=True).ids_BT.shape == (2, 4)
