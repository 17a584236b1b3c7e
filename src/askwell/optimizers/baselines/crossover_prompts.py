"""What the optimizers here ask: cross these prompts, change this one. Wording ours, markup that of `gpo.metaprompt`."""

from __future__ import annotations

from collections.abc import Sequence

from askwell.optimizers.gpo.metaprompt import (
    ANSWER_FORM,
    TASK,
    Exemplar,
    Situation,
    meta_prompt,
    prompt_block,
    shown_exemplars,
)


def crossover_request(parents: Sequence[str], exemplars: Sequence[Exemplar], *, mutate: bool) -> str:
    """Ask for one prompt made from several; `mutate` asks for a change of its own as well."""
    change = " Then change the result in some way that could make it better." if mutate else ""
    return _framed(
        f"Parent prompts:\n{_parents(parents)}",
        shown_exemplars(exemplars),
        f"Cross the parent prompts: write one new prompt that combines what is useful in each of them.{change}",
    )


def mutation_request(current: str, exemplars: Sequence[Exemplar]) -> str:
    """Ask for a changed version of one prompt."""
    return _framed(
        _current(current),
        shown_exemplars(exemplars),
        "Mutate the current prompt: write a new version of it that says the same task in another way and may add what "
        "it lacks.",
    )


def differential_request(basic: str, best: str, donors: Sequence[str], exemplars: Sequence[Exemplar]) -> str:
    """Ask for differential evolution in one reply: best + mutated (donor − donor), crossed with the basic prompt."""
    return _framed(
        f"Two donor prompts:\n{_parents(donors)}",
        f"The best prompt up to now:\n{_parents([best])}",
        _current(basic),
        shown_exemplars(exemplars),
        "Find the parts in which the two donor prompts differ and change just those parts. Put the changed parts into "
        "the best prompt, in the place of parts that they fit. Cross the result with the current prompt into one new "
        "prompt.",
    )


def wording_request(current: str, exemplars: Sequence[Exemplar]) -> str:
    """Ask for another wording of a prompt: how a first population, or a neighbourhood, is made."""
    return meta_prompt(
        Situation(current=current, score=None, exemplars=tuple(exemplars), refinement="resampling"),
    )


def edit_request(current: str, criticism: str, wrong: Sequence[Exemplar]) -> str:
    """Ask to mend a prompt along what was said of its mistakes; `wrong` are the examples it failed on."""
    return meta_prompt(
        Situation(current=current, score=None, reflection=criticism, exemplars=tuple(wrong), refinement="editing")
    )


def _framed(*parts: str) -> str:
    return "\n\n".join(part for part in (TASK, *parts, ANSWER_FORM) if part)


def _current(text: str) -> str:
    return f"The current prompt:\n<current>\n{prompt_block(text)}\n</current>"


def _parents(texts: Sequence[str]) -> str:
    return "\n".join(f"<parent>\n{prompt_block(text)}\n</parent>" for text in texts)
