"""Write shards of tokenized samples before the trainer needs them; shard k of a seed is always the same.

python shards.py --tokenizer FOLDER --out FOLDER --first 0 --count 100
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from mixture import Mix, Segment, sample
from numpy.typing import NDArray
from tokenizers import Tokenizer

SAMPLES = 20_000
LONGEST = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Concatenated samples: tokens, their loss weights, and the start of each sample."""

    tokens: NDArray[np.uint16]
    weights: NDArray[np.float16]
    starts: NDArray[np.int64]


def encode(tokenizer: Tokenizer, samples: Sequence[Sequence[Segment]]) -> Shard:
    """Tokenize segment by segment; segments end only where the pre-tokenizer splits too.

    A sample's weights are divided by the square root of its replies' length, or long workings would outweigh short
    answers.
    """
    texts = sorted({text for segments in samples for text, _ in segments})
    encoded = tokenizer.encode_batch_fast(texts)
    ids = {text: encoding.ids for text, encoding in zip(texts, encoded, strict=True)}
    tokens: list[int] = []
    weights: list[float] = []
    starts = [0]
    for segments in samples:
        row = [(token, weight) for text, weight in segments for token in ids[text]][: LONGEST + 1]
        weighted = sum(weight > 0 for _, weight in row)
        scale = (8.0 / max(weighted, 1)) ** 0.5
        tokens += [token for token, _ in row]
        weights += [weight * scale for _, weight in row]
        starts.append(len(tokens))
    return Shard(
        tokens=np.array(tokens, dtype=np.uint16),
        weights=np.array(weights, dtype=np.float16),
        starts=np.array(starts, dtype=np.int64),
    )


def path_of(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"shard_{number:05d}.npz"


def save(shard: Shard, path: Path) -> None:
    """Write atomically, so that a reader sees a whole shard or none."""
    draft = path.with_suffix(".draft.npz")
    np.savez(draft, tokens=shard.tokens, weights=shard.weights, starts=shard.starts)
    draft.replace(path)


def load(path: Path) -> Shard:
    """Read one shard."""
    with np.load(path) as arrays:
        return Shard(tokens=arrays["tokens"], weights=arrays["weights"], starts=arrays["starts"])


def main() -> None:
    """Write `count` shards, pausing while enough of them are unread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--ahead", type=int, default=100, help="pause while the folder holds this number of shards")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mix", type=json.loads, default={}, help="JSON: fields of Mix to change")
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    mix = Mix(**arguments.mix)
    for number in range(arguments.first, arguments.first + arguments.count):
        while len(list(arguments.out.glob("shard_?????.npz"))) >= arguments.ahead:
            time.sleep(2)
        rng = Random(f"shard/{arguments.seed}/{number}")
        save(encode(tokenizer, [sample(rng, mix) for _ in range(SAMPLES)]), path_of(arguments.out, number))


if __name__ == "__main__":
    main()
