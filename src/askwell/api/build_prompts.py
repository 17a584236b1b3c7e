"""Prepare the prompts of a config for a task: placeholders that name the question are filled, others are refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import cast

from askwell.api.config import Config
from askwell.core.placeholders import INPUT
from askwell.tasks.examples import ExampleSource
from askwell.tasks.prompt_fields import FieldNames, collect_field_names, fill_field_names, find_unknown_names
from askwell.tasks.task import Task

log = logging.getLogger(__name__)


def prepare_prompts(config: Config, task: Task, prompts: Iterable[str]) -> list[str]:
    """Return the distinct prompts without outer white space, with every name of the question written as `{input}`.

    Raises `ConfigError` for a placeholder that names another field of the data. One that names no field is logged: it
    is sent as it stands.
    """
    texts = list(dict.fromkeys(text.strip() for text in prompts))
    if not any("{" in text for text in texts):
        return texts
    names = _field_names(config, task)
    for text in texts:
        for unknown in find_unknown_names(text, names):
            log.warning(
                "the prompt holds %r, which names no field of the data: it is sent as it stands. Write %s for the "
                "question",
                unknown,
                INPUT,
            )
    return list(dict.fromkeys(fill_field_names(text, names) for text in texts))


def prepare_prompt(config: Config, task: Task) -> str:
    """Prepare the config's own prompt, as `prepare_prompts` does."""
    [prompt] = prepare_prompts(config, task, [config.prompt])
    return prompt


def _field_names(config: Config, task: Task) -> FieldNames:
    examples = [example for members in task.splits.values() for example in members]
    source = _one_source(config)
    return collect_field_names(examples, source, fields=config.task.fields or None, records=config.task.records or None)


def _one_source(config: Config) -> ExampleSource | None:
    """Return the data, or those of the dev split if each split has its own."""
    data = config.objects.data
    if isinstance(data, Mapping):
        return cast("Mapping[str, ExampleSource]", data).get("dev")
    return data if data is not None else config.task.data or config.task.dev
