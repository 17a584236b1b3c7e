"""The root command: what there is, in sections. Each command is defined in a module of its own."""

from __future__ import annotations

import click

from askwell.cli.lazy import LazyGroup
from askwell.core.version import __version__

SECTIONS = {
    "Optimize": {
        "demo": "Run the whole workflow on the bundled model: no key, no network, a few minutes.",
        "plan": "Estimate the calls, tokens, cost and time of `askwell optimize`; no model is called.",
        "optimize": "Optimize a prompt, configured by a CONFIG file (TOML), by flags, or both (flags win).",
        "retry": "Retry the calls of a run that failed permanently, and update its result.",
        "evaluate": "Score one or several prompts on a data set, with 95 % intervals.",
        "optimizers": "List the values of --optimizer: published optimizers, references and controls.",
    },
    "Look": {
        "runs": "List the runs in a folder.",
        "show": "Show a run: best prompt, what changed, what is still wrong, curve, spend, single calls.",
        "diff": "Compare two runs: their winners on the same test examples, paired; what they cost; what differs.",
        "report": "Write a report of a run (optimization, training or evaluation) as HTML or Markdown.",
        "export": "Export a run's best prompt in the format of another tool.",
    },
    "Query level (one prompt per query)": {
        "experiences": "Summarize logged outcomes: queries, prompts, density, balance, repeats, headroom.",
        "headroom": "Measure how much one prompt per query could gain over the baseline prompt.",
        "compare": "Compare prompt policies on logged outcomes: baseline prompt, random, oracle, every scorer.",
        "train": "Train a policy that writes one prompt per query, from the outcomes in runs and files.",
        "policy": "Use a trained policy, and show what was measured of it.",
        "serve": "Serve a run's policy as an OpenAI-compatible endpoint in front of its target model.",
    },
    "Data": {
        "data": "List benchmarks and bundled tasks, show one, and check your own data set.",
    },
    "Log": {
        "log": "Export a run's log to other tools, and import it again.",
    },
}
"""Section of the help -> command -> its first line of help. The module `askwell.cli.NAME` defines the command NAME."""

INSTALLS = {
    "demo": "'askwell[local,qpo,select]'",
    "headroom": "'askwell[select]'",
    "compare": "'askwell[select]'",
    "train": "'askwell[local,qpo,select]' ('askwell[select]' is enough for --scorer)",
}
"""Command -> all that it needs beyond the core packages, in one line: one missing package at a time takes three."""


@click.group(
    cls=LazyGroup,
    package=__package__,
    sections=SECTIONS,
    installs=INSTALLS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="askwell")
def main() -> None:
    """Find the prompts that make a language model answer better, learned from your own examples.

    \b
    askwell demo
    askwell optimize --data q.jsonl --metric number --target openai:MODEL --optimizer-model openai:LARGER-MODEL
    askwell evaluate --data q.jsonl --metric number --target openai:MODEL --prompt "A" --prompt "B"
    """  # noqa: D301 - \b is click's own mark
