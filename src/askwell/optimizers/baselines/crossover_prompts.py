"""The requests of the baselines: cross prompts, change a prompt. Our wording, in the markup of `gpo.metaprompt`."""

from __future__ import annotations

from collections.abc import Sequence

from askwell.optimizers.gpo.metaprompt import (
    TASK,
    Exemplar,
    MetaPrompt,
    format_exemplars,
    format_meta_prompt,
    format_prompt,
    join_request,
)


def format_crossover_request(parents: Sequence[str], exemplars: Sequence[Exemplar], *, mutate: bool) -> str:
    """Format the request for one prompt made from several; `mutate` also requests a change of the result."""
    change = " Then change the result in some way that could make it better." if mutate else ""
    return _join_sections(
        f"Parent prompts:\n{_format_parents(parents)}",
        format_exemplars(exemplars),
        f"Cross the parent prompts: write one new prompt that combines what is useful in each of them.{change}",
    )


def format_mutation_request(current: str, exemplars: Sequence[Exemplar]) -> str:
    """Format the request for a changed version of one prompt."""
    return _join_sections(
        _format_current(current),
        format_exemplars(exemplars),
        "Mutate the current prompt: write a new version of it that says the same task in another way and may add what "
        "it lacks.",
    )


def format_differential_request(basic: str, best: str, donors: Sequence[str], exemplars: Sequence[Exemplar]) -> str:
    """Format the request for a step of differential evolution: best + mutated (donor − donor), crossed with `basic`."""
    return _join_sections(
        f"Two donor prompts:\n{_format_parents(donors)}",
        f"The best prompt up to now:\n{_format_parents([best])}",
        _format_current(basic),
        format_exemplars(exemplars),
        "Find the parts in which the two donor prompts differ and change just those parts. Put the changed parts into "
        "the best prompt, in the place of parts that they fit. Cross the result with the current prompt into one new "
        "prompt.",
    )


def format_wording_request(current: str, exemplars: Sequence[Exemplar]) -> str:
    """Format the request for another wording of a prompt, for a first population or a neighbourhood."""
    return format_meta_prompt(
        MetaPrompt(current=current, score=None, exemplars=tuple(exemplars), refinement="resampling"),
    )


def format_edit_request(current: str, criticism: str, wrong: Sequence[Exemplar]) -> str:
    """Format the request to improve a prompt along a criticism; `wrong` are the examples it failed on."""
    return format_meta_prompt(
        MetaPrompt(current=current, score=None, reflection=criticism, exemplars=tuple(wrong), refinement="editing")
    )


def _join_sections(*parts: str) -> str:
    return join_request(TASK, *parts)


def _format_current(text: str) -> str:
    return f"The current prompt:\n<current>\n{format_prompt(text)}\n</current>"


def _format_parents(texts: Sequence[str]) -> str:
    return "\n".join(f"<parent>\n{format_prompt(text)}\n</parent>" for text in texts)
