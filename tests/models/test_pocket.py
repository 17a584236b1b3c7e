"""The shipped checkpoint: small, loaded by transformers with no code of ours, and its tokenizer loses nothing."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from askwell.models.bundled import CHECKPOINT, MAX_REPLY_TOKENS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
LIMIT_BYTES = 12_000_000
TRAINING = Path(__file__).parents[2] / "training" / "pocket"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(CHECKPOINT)


@pytest.fixture(scope="module")
def model() -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in CHECKPOINT.iterdir()) <= LIMIT_BYTES


def test_it_is_a_plain_llama(model: Any) -> None:
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.config.head_dim >= 32
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3, 14, 159",
        "  two  spaces\n\nand lines\t",
        "naïve café 東京 🙂",
        'It\'s "quoted" <html> & more...',
        "\x00\x7f",
    ],
)
def test_any_text_survives_the_tokenizer(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_every_digit_is_a_token(tokenizer: Any) -> None:
    assert len(tokenizer("2026").input_ids) == 4


def test_the_chat_template_marks_every_turn(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "1, 2"},
        {"role": "assistant", "content": "3"},
        {"role": "user", "content": "2, 2"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == ("<|system|>Add.<|end|><|user|>1, 2<|end|><|assistant|>3<|end|><|user|>2, 2<|end|><|assistant|>")


def test_generation_ends_by_itself(tokenizer: Any, model: Any) -> None:
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "7, 12\nWhat is the largest number?"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    inputs = tokenizer(text, return_tensors="pt")
    tokens = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :].tolist()
    assert tokens[-1] == tokenizer.eos_token_id
    assert len(tokens) <= MAX_REPLY_TOKENS


def test_the_training_network_exports_to_the_same_function() -> None:
    sys.path.insert(0, str(TRAINING))
    try:
        export: Any = import_module("export")
        model: Any = import_module("model")
    finally:
        sys.path.remove(str(TRAINING))
    shape = model.Shape(vocab=64, width=64, layers=2, heads=2, hidden=96)
    twin = model.PocketLM(shape)
    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        rms_norm_eps=shape.norm_eps,
        tie_word_embeddings=True,
    )
    llama = transformers.LlamaForCausalLM(config)
    llama.load_state_dict(export.llama_weights(twin.state_dict(), shape), strict=False)
    tokens = torch.randint(0, 64, (2, 9))
    with torch.no_grad():
        ours = twin(tokens, torch.arange(18)).view(2, 9, -1)
        assert torch.allclose(ours, llama(tokens).logits, atol=1e-5)
