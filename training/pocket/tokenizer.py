"""Train the byte-level BPE: it encodes any text without loss, and every digit is a token of its own.

python tokenizer.py --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from mixture import ASSISTANT, END, PAD, SPECIALS, START, SYSTEM, USER, Mix, sample
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from askwell.tasks.bundled import words

VOCABULARY = 2048
TEXTS = 60_000
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if not (loop.last and continue_final_message is defined and continue_final_message) %}"
    "{{ '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
PLAIN_ENGLISH = """
the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who oil its now find long down day did get come made may part over new sound take only little work know
place year live me back give most very after thing our just name good sentence man think say great where help through
much before line right too mean old any same tell boy follow came want show also around form three small set put end
does another well large must big even such because turn here why ask went men read need land different home us move try
kind hand picture again change off play spell air away animal house point page letter mother answer found study still
learn should world question problem task step carefully correct following text below above between using given explain
"""


def corpus(seed: int) -> Iterator[str]:
    """Yield training text with separated digits, so that no merge joins two of them."""
    rng, mix = Random(f"tokenizer/{seed}"), Mix()
    for _ in range(TEXTS):
        for text, _ in sample(rng, mix):
            if text not in SPECIALS:
                yield re.sub(r"(?<=\d)(?=\d)", "\n", text)
    for word in (*words.EVERY, *PLAIN_ENGLISH.split()):
        for form in (word, " " + word, word.capitalize(), " " + word.capitalize()):
            yield from [form] * 40


def train(seed: int) -> Tokenizer:
    """Return the trained tokenizer; its pre-tokenizer is GPT-2's, which every server supports."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(seed), trainer)
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and the configuration that transformers and servers read."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "add_bos_token": False,
        "additional_special_tokens": [SYSTEM, USER, ASSISTANT],
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
        "model_max_length": 1024,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    save(train(arguments.seed), arguments.out)


if __name__ == "__main__":
    main()
