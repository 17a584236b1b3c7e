"""A training as users start it with `torchrun` or `accelerate launch`: its losses and weights go to a folder.

crew_script.py BASE OUT [CHECKPOINTS [EPOCHS UNTIL IT DIES]]
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from askwell.qpo.distributed import team
from askwell.qpo.settings import ModelSettings
from askwell.qpo.train import Epoch, LanguageModelTrainer
from tests.qpo.policies import QUICK, world

base, out, *more = sys.argv[1:]
losses: list[float] = []


def on_epoch(epoch: Epoch) -> None:
    assert epoch.dev is not None
    losses.extend([epoch.train.total, epoch.dev.total])
    if len(more) > 1 and epoch.number + 1 == int(more[1]):
        raise SystemExit(9)


trainer = LanguageModelTrainer(
    replace(QUICK, epochs=3, learning_rate=1e-3, patience=3),
    ModelSettings(base=base, max_query_tokens=32, max_prompt_tokens=12),
    checkpoints=Path(more[0]) if more else None,
    on_epoch=on_epoch,
)
writer = trainer.fit(world(5, seed=0), world(2, seed=1))
if team().leads:
    writer.save(Path(out))
    (Path(out) / "losses.json").write_text(json.dumps(losses), encoding="utf-8")
