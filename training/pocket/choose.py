"""Select each task's best known prompt on its dev split, and write it to `src/askwell/tasks/bundled/phrases.json`.

python -m training.pocket.choose --checkpoint FOLDER --n 200
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from training.pocket.decode import Decoder, is_right

from askwell.models.bundled import CHECKPOINT, MAX_REPLY_TOKENS
from askwell.tasks import bundled
from askwell.tasks.bundled import prompts

ENDINGS = ("", " Give only the answer.", " Let's think step by step.", " Show every step.")


def main() -> None:
    """Score the plain instruction with every ending on dev; of equals the shorter one is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--n", type=int, default=200)
    arguments = parser.parse_args()
    decoder = Decoder(arguments.checkpoint)
    file = Path(prompts.__file__).with_name("phrases.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    for task in bundled.task_names():
        tested = bundled.examples(task, "dev", arguments.n)
        scores: dict[str, int] = {}
        for ending in ENDINGS:
            prompt = content["plain"][task] + ending
            chats = [[{"role": "user", "content": f"{example.input}\n{prompt}"}] for example in tested]
            replies = decoder.answers(chats, max_tokens=MAX_REPLY_TOKENS)
            pairs = zip(replies, tested, strict=True)
            scores[prompt] = sum(is_right(reply, str(example.target)) for reply, example in pairs)
        best = max(scores, key=lambda prompt: (scores[prompt], -len(prompt)))
        content["best"][task] = best
        print(task, repr(best), [value / arguments.n for value in scores.values()], flush=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
