"""Train pocket: read shards, step, keep an average of the weights; probe, save and export every few minutes.

    python train.py --tokenizer FOLDER --shards FOLDER --out FOLDER --tokens 60e6 --decay 0.3

A schedule of several stages is several commands: each later one adds `--resume FOLDER/checkpoint.pt` and may read
shards of another mixture. Within a stage the learning rate is constant and falls linearly over the last `--decay`
share. `--ranks 2` runs two single-threaded processes that add their gradients once per step. On a shared machine that
is far faster than two threads, which wait for each other in every operation.
"""
# ruff: noqa: N806 - tensor names carry their axes

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
from export import export
from model import PocketLM, Shape
from optimizer import Muon
from probe import accuracies, cases, table
from shards import Shard, load, path_of
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

BUCKETS = (32, 48, 64, 96, 128, 192, 256, 384)
"""Padded lengths; they are few, so that batches fill up."""

MICRO_TOKENS = 3072
MICRO_BATCHES = 2
"""Batches of different lengths that are summed into one step and distributed over the ranks."""

LOSS_UNIT = 1000.0
"""Keeps the gradients near 1 before they are normalized."""

WARMUP_STEPS = 150
FINAL_SCALE = 0.03
AVERAGE_DECAY = 0.998
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Inputs_BT, flat positions that have a loss, their target tokens, their weights."""


def batches(shard: Shard, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield a shard's samples, right-padded with others of like length, in random order."""
    lengths = np.diff(shard.starts) - 1
    buckets = np.searchsorted(BUCKETS, lengths)
    groups: list[tuple[int, np.ndarray]] = []
    for bucket, longest in enumerate(BUCKETS):
        members = rng.permutation(np.flatnonzero(buckets == bucket))
        rows = MICRO_TOKENS // longest
        groups += [(longest, members[at : at + rows]) for at in range(0, len(members) - rows + 1, rows)]
    for index in rng.permutation(len(groups)):
        yield _padded(shard, *groups[index])


def _padded(shard: Shard, longest: int, members: np.ndarray) -> Batch:
    tokens = np.zeros((len(members), longest + 1), dtype=np.int64)
    weights = np.zeros((len(members), longest + 1), dtype=np.float32)
    for row, member in enumerate(members):
        begin, end = shard.starts[member], shard.starts[member + 1]
        tokens[row, : end - begin] = shard.tokens[begin:end]
        weights[row, : end - begin] = shard.weights[begin:end]
    targets, weight = torch.from_numpy(tokens[:, 1:].ravel()), torch.from_numpy(weights[:, 1:].ravel())
    positions = weight.nonzero().squeeze(1)
    return torch.from_numpy(tokens[:, :-1].copy()), positions, targets[positions], weight[positions]


def stream(folder: Path, first: int, seed: int) -> Iterator[tuple[int, Batch]]:
    """Yield (shard number, batch) without end, waiting for shards that are still being written."""
    number = first
    while True:
        path = path_of(folder, number)
        while not path.exists():
            time.sleep(1)
        shard = load(path)
        for batch in batches(shard, np.random.default_rng((seed, number))):
            yield number, batch
        number += 1


def scale_at(seen: int, total: int, decay: float, step: int) -> float:
    """Return the learning rate's share of its peak."""
    left = max(0.0, 1 - seen / total)
    falling = min(1.0, left / decay) if decay else 1.0
    return min(1.0, (step + 1) / WARMUP_STEPS) * (FINAL_SCALE + (1 - FINAL_SCALE) * falling)


class Trainer:
    """The run's state: weights, their average, optimizer, and progress."""

    def __init__(self, arguments: argparse.Namespace, rank: int) -> None:
        self.arguments, self.rank = arguments, rank
        self.tokenizer = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
        self.shape = Shape(
            vocab=self.tokenizer.get_vocab_size(),
            width=arguments.width,
            layers=arguments.layers,
            heads=arguments.width // 32,
            hidden=arguments.hidden,
        )
        torch.manual_seed(arguments.seed)
        self.model = PocketLM(self.shape)
        self.average = PocketLM(self.shape)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = Muon(self.model, matrix_lr=arguments.matrix_lr, other_lr=arguments.other_lr)
        self.hidden = torch.compile(self.model.hidden, dynamic=True) if arguments.compile else self.model.hidden
        self.steps, self.tokens_seen, self.next_shard, self.seconds = 0, 0, arguments.first_shard, 0.0
        self.probed = cases(arguments.probe_examples)

    def step(self, micro: list[Batch], scale: float) -> float:
        """Take one optimizer step over several batches, of which this rank computes its share; return the loss."""
        sums = torch.zeros(2)
        for tokens_BT, positions, targets, weights in micro[self.rank :: self.arguments.ranks]:
            with torch.autocast("cpu", torch.bfloat16):
                hidden = self.hidden(tokens_BT).flatten(0, 1)[positions]
                logits = functional.linear(hidden, self.model.embedding.weight)
            losses = functional.cross_entropy(logits.float(), targets, reduction="none")
            loss = (losses * weights).sum() / LOSS_UNIT
            loss.backward()
            sums += torch.stack((loss.detach(), weights.sum() / LOSS_UNIT))
        loss = self._share(sums)
        self.optimizer.step(scale)
        self.steps += 1
        decay = min(AVERAGE_DECAY, 1 - 10 / (self.steps + 10))
        averaged, current = list(self.average.parameters()), list(self.model.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(averaged, current, 1 - decay)  # pyright: ignore[reportPrivateUsage]
        return loss

    def _share(self, sums: Tensor) -> float:
        """Add gradients and sums over the ranks, normalize the gradients, and return the mean loss."""
        weights = list(self.model.parameters())
        flat = torch.cat((parameters_to_vector([weight.grad for weight in weights]), sums))  # type: ignore[misc]
        if self.arguments.ranks > 1:
            distributed.all_reduce(flat)
        gradients = flat[:-2].div_(flat[-1])
        for weight, part in zip(weights, gradients.split([weight.numel() for weight in weights]), strict=True):
            weight.grad = part.view_as(weight)
        return float(flat[-2] / flat[-1])

    def save(self) -> None:
        """Write the resumable checkpoint and the exported model."""
        out: Path = self.arguments.out
        saved = {
            "shape": asdict(self.shape),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state(),
            "progress": [self.steps, self.tokens_seen, self.next_shard, self.seconds],
        }
        draft = out / "checkpoint.draft"
        torch.save(saved, draft)
        draft.replace(out / "checkpoint.pt")
        export(self.average.state_dict(), self.shape, self.arguments.tokenizer, out / "export")

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint; shards that were read are not read again."""
        saved = torch.load(path, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.restore(saved["optimizer"])
        self.steps, self.tokens_seen, self.next_shard, self.seconds = saved["progress"]
        self.next_shard = self.arguments.first_shard or self.next_shard

    def probe(self) -> None:
        """Print dev accuracies of the averaged weights."""
        print(table(accuracies(self.average, self.tokenizer, self.probed)), flush=True)

    def run(self) -> None:
        """Train for one stage."""
        arguments = self.arguments
        begun_tokens, begun_seconds, started = self.tokens_seen, self.seconds, time.monotonic()
        saved_at = started
        micro: list[Batch] = []
        source = stream(arguments.shards, self.next_shard, arguments.seed)
        for number, batch in source:
            micro.append(batch)
            if len(micro) < MICRO_BATCHES:
                continue
            seen = self.tokens_seen - begun_tokens
            scale = scale_at(seen, int(arguments.tokens), arguments.decay, self.steps)
            loss = self.step(micro, scale)
            self.tokens_seen += sum(tokens_BT.numel() for tokens_BT, _, _, _ in micro)
            micro, self.next_shard = [], number + 1
            if self.rank == 0 and not arguments.keep_shards:
                path_of(arguments.shards, number - 2).unlink(missing_ok=True)
            now = time.monotonic()
            self.seconds = begun_seconds + now - started
            done = seen >= arguments.tokens
            if self.rank == 0 and (self.steps % 10 == 0 or done):
                rate = (self.tokens_seen - begun_tokens) / (now - started)
                print(
                    f"{time.strftime('%H:%M:%S')} step {self.steps} shard {number} "
                    f"tokens {self.tokens_seen / 1e6:.2f}M loss {loss:.4f} scale {scale:.3f} tok/s {rate:.0f}",
                    flush=True,
                )
            if self.rank == 0 and (done or now - saved_at > arguments.save_every_s):
                self.save()
                self.probe()
                saved_at = time.monotonic()
            if done:
                return


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=float, required=True, help="padded tokens in this stage")
    parser.add_argument("--decay", type=float, default=0.3, help="last share of the stage, in which the rate falls")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--keep-shards", action="store_true")
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=416)
    parser.add_argument("--matrix-lr", type=float, default=0.01)
    parser.add_argument("--other-lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="per rank")
    parser.add_argument(
        "--session-nice", type=int, help="nice value of the session; Linux autogroups ignore `nice` between sessions"
    )
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--port", type=int, default=29517)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--save-every-s", type=float, default=240)
    parser.add_argument("--probe-examples", type=int, default=24)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.ranks == 1:
        work(0, arguments)
    else:
        multiprocessing.spawn(work, args=(arguments,), nprocs=arguments.ranks)


def work(rank: int, arguments: argparse.Namespace) -> None:
    """Train as one of the ranks."""
    torch.set_num_threads(arguments.threads)
    if arguments.session_nice is not None:
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(arguments.session_nice), encoding="utf-8")
    if arguments.ranks > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"tcp://127.0.0.1:{arguments.port}",
            rank=rank,
            world_size=arguments.ranks,
            timeout=timedelta(minutes=10),
        )
    trainer = Trainer(arguments, rank)
    if arguments.resume:
        trainer.resume(arguments.resume)
    trainer.run()


if __name__ == "__main__":
    main()
