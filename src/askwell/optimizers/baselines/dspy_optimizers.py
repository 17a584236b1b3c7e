"""MIPROv2 (arXiv 2406.11695) and SIMBA through DSPy itself.

DSPy optimizes programs; ours has one predictor whose instruction and demonstrations are the prompt. The predictor does
not go through DSPy's adapters: it renders, asks and grades as askwell does, so a prompt found here means the same
everywhere. DSPy's own questions to its prompt model (dataset summary, instruction proposals, advice) go out as DSPy
writes them.

MIPROv2 gets as many trials on the full dev split as the budget pays for, and 1.5 candidates fewer a trial, as its own
rule of thumb has it. SIMBA knows no validation set: it works on the training examples alone. Both run single-threaded,
so that a resumed run asks in the same order.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Generator, Iterator, Sequence
from importlib import import_module
from typing import Any

from askwell.core.errors import ConfigError
from askwell.core.types import Example, Message, Prompt, Split
from askwell.optimizers.baselines.external import Bridge, SearchTask, value_of

_INPUT, _OUTPUT = "question", "answer"
_SIMBA_CANDIDATES = 6
_SIMBA_BATCH = 32


def mipro_search(bridge: Bridge, task: SearchTask) -> Prompt:
    """Run `dspy.MIPROv2`, with `demos` bootstrapped and labelled demonstrations at most. Needs the `dspy` extra."""
    dspy, demos = _dspy(), task.settings.demos
    bootstraps = len(task.train)  # once over the training examples, or a little more: sets are drawn from the same ones
    trials = max(1, (task.settings.target_calls - bootstraps) // len(task.dev) - 1)
    optimizer = dspy.MIPROv2(
        metric=_metric,
        prompt_model=_prompt_model(dspy, bridge),
        task_model=_no_model(dspy),
        auto=None,
        num_candidates=max(3, min(18, int(trials / 1.5))),
        max_bootstrapped_demos=demos,
        max_labeled_demos=demos,
        num_threads=1,
        seed=task.seed,
    )
    valset = _examples(dspy, task.dev, "dev")
    return _compiled(dspy, optimizer, bridge, task, valset=valset, num_trials=trials, minibatch=False)


def simba_search(bridge: Bridge, task: SearchTask) -> Prompt:
    """Run `dspy.SIMBA`, with `demos` demonstrations at most. Needs the `dspy` extra."""
    dspy, demos = _dspy(), task.settings.demos
    batch = min(_SIMBA_BATCH, len(task.train))
    validation = (_SIMBA_CANDIDATES + 1) * len(task.train)
    a_step = (2 * _SIMBA_CANDIDATES + 1) * batch
    optimizer = dspy.SIMBA(
        metric=_metric,
        bsize=batch,
        num_candidates=_SIMBA_CANDIDATES,
        max_steps=max(1, (task.settings.target_calls - validation) // a_step),
        max_demos=demos,
        prompt_model=_prompt_model(dspy, bridge),
        num_threads=1,
    )
    return _compiled(dspy, optimizer, bridge, task, seed=task.seed)


def _dspy() -> Any:
    try:
        return import_module("dspy")
    except ImportError as error:
        raise ConfigError("DSPy's optimizers need their package: pip install 'askwell[dspy]'") from error


def _compiled(dspy: Any, optimizer: Any, bridge: Bridge, task: SearchTask, **settings: Any) -> Prompt:
    program = _program(dspy, bridge, task)
    with _quiet(), dspy.context(lm=_no_model(dspy), adapter=dspy.ChatAdapter(), disable_history=True):
        found = optimizer.compile(program, trainset=_examples(dspy, task.train, "train"), **settings)
    return found.predictors()[0].prompt()


def _program(dspy: Any, bridge: Bridge, task: SearchTask) -> Any:
    known = {example.id: example for example in (*task.train, *task.dev)}

    class Answerer(dspy.Predict):
        """DSPy's predictor, asked through askwell."""

        def prompt(self) -> Prompt:
            chosen = [_demo(known, demo) for demo in self.demos]
            return Prompt(instruction=self.signature.instructions, demos=tuple(chosen) or task.initial.demos)

        def forward(self, **inputs: Any) -> Any:
            example, split = known[inputs["id"]], inputs["split"]
            model = self.lm or dspy.settings.lm
            temperature, sample_index = model.kwargs.get("temperature"), int(model.kwargs.get("rollout_id") or 0)
            (rollout,) = bridge.score(
                self.prompt(), [example], split=split, temperature=temperature, sample_index=sample_index
            )
            prediction = dspy.Prediction(**{_OUTPUT: rollout.completion.text, "score": value_of(rollout)})
            if dspy.settings.trace is not None:
                dspy.settings.trace.append((self, dict(inputs), {_OUTPUT: rollout.completion.text}))
            return prediction

    class Program(dspy.Module):
        """One predictor."""

        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]  DSPy may not be installed
            self.answerer = Answerer(dspy.Signature(f"{_INPUT} -> {_OUTPUT}", task.initial.instruction))

        def forward(self, **inputs: Any) -> Any:
            return self.answerer(**inputs)

    return Program()


def _examples(dspy: Any, examples: Sequence[Example], split: Split) -> list[Any]:
    fields = [
        {_INPUT: one.input, _OUTPUT: one.target if isinstance(one.target, str) else one.target[0]} for one in examples
    ]
    return [
        dspy.Example(id=one.id, split=split, **field).with_inputs(_INPUT, "id", "split")
        for one, field in zip(examples, fields, strict=True)
    ]


def _demo(known: dict[str, Example], demo: Any) -> Example:
    """Turn a demonstration back into an example; a bootstrapped one shows the model's own (right) reply."""
    original = known[demo["id"]]
    return Example(id=original.id, input=original.input, target=str(demo[_OUTPUT]))


def _metric(_example: Any, prediction: Any, _trace: Any = None) -> float:
    return float(prediction.score)


def _prompt_model(dspy: Any, bridge: Bridge) -> Any:
    return dspy.LM("askwell/optimizer", engine=_Engine(bridge), cache=False, temperature=1.0, num_retries=0)


def _no_model(dspy: Any) -> Any:
    """Stand in where DSPy wants a task model: the predictor above asks askwell instead."""
    return dspy.LM("askwell/target", engine=_Engine(None), cache=False)


class _Engine:
    """A DSPy engine that asks through the bridge."""

    def __init__(self, bridge: Bridge | None) -> None:
        self._bridge = bridge

    def complete(self, request: Any) -> Any:
        wire: Any = import_module("dspy.lm15")
        if self._bridge is None:
            raise ConfigError("DSPy asked its task model directly; only askwell's predictor may")
        system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system or ())
        turns = [Message(role="system", content=system)] if system else []
        turns += [Message(role=turn.role, content=turn.text or "") for turn in request.messages]
        text = self._bridge.ask(turns, temperature=request.config.temperature or 0.0)
        usage = wire.Usage(input_tokens=0, output_tokens=0, total_tokens=0)  # the run's log has the true ones
        message = wire.Message.assistant([wire.TextPart(text)])
        return wire.Response(id=None, model=request.model, message=message, finish_reason="stop", usage=usage)

    def stream(self, request: Any) -> Iterator[Any]:
        return iter(import_module("dspy.lm15").response_to_events(self.complete(request)))

    def close(self) -> None:
        """Nothing to free."""


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keep DSPy's progress bars and messages off the terminal; askwell shows its own."""
    names = ("dspy", "optuna")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
