"""Greedy, batched answers of the bundled checkpoint through transformers' own `generate`, and how they are read.

For measurements. In the library the checkpoint is served like any other local model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

BATCH = 256
MARKER = "answer is"

Chat = Sequence[Mapping[str, str]]
"""Messages as the chat template takes them: "role" and "content"."""


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
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        replies = [""] * len(texts)
        for begin in range(0, len(order), BATCH):
            places = order[begin : begin + BATCH]
            written = self._batch([texts[place] for place in places], max_tokens)
            for place, reply in zip(places, written, strict=True):
                replies[place] = reply
        return replies

    def _batch(self, texts: list[str], max_tokens: int) -> list[str]:
        import torch

        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            tokens = self._model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)
        width = inputs["input_ids"].shape[1]
        return self._tokenizer.batch_decode(tokens[:, width:], skip_special_tokens=True)


def parse_chat_response(reply: str) -> str:
    """Return what a reply answers: the text after its last "answer is", or all of it."""
    tail = reply.rsplit(MARKER, 1)[-1]
    return " ".join(tail.strip().rstrip(".").split()).casefold()


def is_right(reply: str, target: str) -> bool:
    """Tell whether a reply gives the target; case and a final full stop do not matter."""
    return parse_chat_response(reply) == parse_chat_response(target)
