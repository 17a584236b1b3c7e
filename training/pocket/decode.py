"""Greedy, batched answers of the bundled checkpoint by transformers' own `generate`, and the reader of these answers.

For measurements only. The library serves the checkpoint like any other local model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

BATCH = 256
MARKER = "answer is"

Chat = Sequence[Mapping[str, str]]
"""Messages in the chat template's form: "role" and "content"."""


class Decoder:
    """A loaded checkpoint that answers many chats at once."""

    def __init__(self, folder: Path) -> None:
        transformers: Any = import_module("transformers")  # only measurements need the `local` extra
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()

    def answers(self, chats: Sequence[Chat], *, max_tokens: int) -> list[str]:
        """Return one greedy reply per chat, in order; left-padded batches of like length."""
        texts = [
            self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats
        ]
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        replies = [""] * len(texts)
        for begin in range(0, len(order), BATCH):
            chunk = order[begin : begin + BATCH]
            written = self._batch([texts[index] for index in chunk], max_tokens)
            for index, reply in zip(chunk, written, strict=True):
                replies[index] = reply
        return replies

    def _batch(self, texts: list[str], max_tokens: int) -> list[str]:
        import torch

        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)
        width = inputs["input_ids"].shape[1]
        return self._tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True)


def read_answer(reply: str) -> str:
    """Return the answer in a reply: the text after its last "answer is", or the whole reply."""
    tail = reply.rsplit(MARKER, 1)[-1]
    return " ".join(tail.strip().rstrip(".").split()).casefold()


def is_right(reply: str, target: str) -> bool:
    """Return whether a reply gives the target; case and a final full stop do not matter."""
    return read_answer(reply) == read_answer(target)
