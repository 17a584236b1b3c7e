"""Small checkpoints with random weights and a byte-level tokenizer, for tests."""

# pyright: reportUnknownMemberType=false
# (torch is typed in part only)

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
STRICT_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + CHAT_TEMPLATE
)
SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")


def make_checkpoint(
    folder: Path,
    *,
    chat_template: str | None = CHAT_TEMPLATE,
    hidden: int = 32,
    layers: int = 2,
    vocabulary: int = 0,
    context: int = 256,
    spread: float = 0.3,
    seed: int = 0,
    architecture: Literal["llama", "gpt2"] = "llama",
) -> Path:
    """Write a Llama (or GPT-2) checkpoint that `transformers` loads by path.

    `hidden=192, layers=4, vocabulary=2048` makes 2 M parameters. A larger `spread` of the weights makes replies end
    (and differ) sooner.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: index for index, token in enumerate([*SPECIAL, *letters])}
    backend = Tokenizer(models.BPE(vocab=ids, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue] - setter is untyped
    backend.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue] - setter is untyped
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL[2:])})
    tokenizer.chat_template = chat_template
    common: dict[str, Any] = {
        "vocab_size": max(vocabulary, len(ids)),
        "eos_token_id": ids["<|end|>"],
        "bos_token_id": None,
        "pad_token_id": ids["<|pad|>"],
        "initializer_range": spread,
    }
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        **common,
    )
    small = GPT2Config(n_embd=hidden, n_layer=layers, n_head=4, n_positions=context, **common)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(config) if architecture == "llama" else GPT2LMHeadModel(small)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
