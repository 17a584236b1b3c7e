"""MIPROv2 (arXiv 2406.11695) and SIMBA through DSPy itself.

DSPy optimizes programs; ours has one predictor whose instruction and demonstrations are the prompt. The predictor does
not use DSPy's adapters: it renders, calls and grades as askwell does, so a resulting prompt means the same everywhere.
DSPy's own requests to its prompt model (dataset summary, instruction proposals, advice) are sent as DSPy writes them.

MIPROv2 gets as many trials on the full dev split as the budget allows, and one candidate per 1.5 trials, its own rule
of thumb. SIMBA has no validation set: it uses the training examples alone. Both run single-threaded, so that a resumed
run makes its calls in the same order.
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
from askwell.optimizers.baselines.bridge import Bridge, score_value
from askwell.optimizers.baselines.external import SearchTask

_INPUT, _OUTPUT = "question", "answer"
_SIMBA_CANDIDATES = 6
_SIMBA_BATCH = 32


def run_mipro(bridge: Bridge, task: SearchTask) -> Prompt:
    """Run `dspy.MIPROv2`, with at most `demos` bootstrapped and labelled demonstrations. Needs the `dspy` extra."""
    dspy, demos = _import_dspy(), task.settings.demos
    bootstraps = len(task.train)  # an estimate: all demonstration sets are bootstrapped from the train split
    trials = max(1, (task.settings.target_calls - bootstraps) // len(task.dev) - 1)
    optimizer = dspy.MIPROv2(
        metric=_metric,
        prompt_model=_make_prompt_model(dspy, bridge),
        task_model=_make_refusing_model(dspy),
        auto=None,
        num_candidates=max(3, min(18, int(trials / 1.5))),  # 18: as in DSPy's own setting "heavy"
        max_bootstrapped_demos=demos,
        max_labeled_demos=demos,
        num_threads=1,
        seed=task.seed,
    )
    valset = _convert_examples(dspy, task.dev, "dev")
    return _compile(dspy, optimizer, bridge, task, valset=valset, num_trials=trials, minibatch=False)


def run_simba(bridge: Bridge, task: SearchTask) -> Prompt:
    """Run `dspy.SIMBA`, with at most `demos` demonstrations. Needs the `dspy` extra."""
    dspy, demos = _import_dspy(), task.settings.demos
    batch = min(_SIMBA_BATCH, len(task.train))
    validation = (_SIMBA_CANDIDATES + 1) * len(task.train)
    a_step = (2 * _SIMBA_CANDIDATES + 1) * batch
    optimizer = dspy.SIMBA(
        metric=_metric,
        bsize=batch,
        num_candidates=_SIMBA_CANDIDATES,
        max_steps=max(1, (task.settings.target_calls - validation) // a_step),
        max_demos=demos,
        prompt_model=_make_prompt_model(dspy, bridge),
        num_threads=1,
    )
    return _compile(dspy, optimizer, bridge, task, seed=task.seed)


def _import_dspy() -> Any:
    try:
        return import_module("dspy")
    except ImportError as error:
        raise ConfigError("DSPy's optimizers need their package: pip install 'askwell[dspy]'") from error


def _compile(dspy: Any, optimizer: Any, bridge: Bridge, task: SearchTask, **settings: Any) -> Prompt:
    program = _build_program(dspy, bridge, task)
    with _silence(), dspy.context(lm=_make_refusing_model(dspy), adapter=dspy.ChatAdapter(), disable_history=True):
        compiled = optimizer.compile(program, trainset=_convert_examples(dspy, task.train, "train"), **settings)
    return compiled.predictors()[0].prompt()


def _build_program(dspy: Any, bridge: Bridge, task: SearchTask) -> Any:
    examples = {example.id: example for example in (*task.train, *task.dev)}

    class Answerer(dspy.Predict):
        """DSPy's predictor, with its calls made through askwell."""

        def prompt(self) -> Prompt:
            chosen = [_restore_example(examples, demo) for demo in self.demos]
            return Prompt(instruction=self.signature.instructions, demos=tuple(chosen) or task.initial.demos)

        def forward(self, **inputs: Any) -> Any:
            example, split = examples[inputs["id"]], inputs["split"]
            model = self.lm or dspy.settings.lm
            temperature, sample_index = model.kwargs.get("temperature"), int(model.kwargs.get("rollout_id") or 0)
            (rollout,) = bridge.score(
                self.prompt(), [example], split=split, temperature=temperature, sample_index=sample_index
            )
            prediction = dspy.Prediction(**{_OUTPUT: rollout.completion.text, "score": score_value(rollout)})
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


def _convert_examples(dspy: Any, examples: Sequence[Example], split: Split) -> list[Any]:
    fields = [
        {_INPUT: example.input, _OUTPUT: example.target if isinstance(example.target, str) else example.target[0]}
        for example in examples
    ]
    return [
        dspy.Example(id=example.id, split=split, **field).with_inputs(_INPUT, "id", "split")
        for example, field in zip(examples, fields, strict=True)
    ]


def _restore_example(examples: dict[str, Example], demo: Any) -> Example:
    """Convert a demonstration back to an example; a bootstrapped one shows the model's own (right) reply."""
    original = examples[demo["id"]]
    return Example(id=original.id, input=original.input, target=str(demo[_OUTPUT]))


def _metric(_example: Any, prediction: Any, _trace: Any = None) -> float:
    return float(prediction.score)


def _make_prompt_model(dspy: Any, bridge: Bridge) -> Any:
    return dspy.LM("askwell/optimizer", engine=_Engine(bridge), cache=False, temperature=1.0, num_retries=0)


def _make_refusing_model(dspy: Any) -> Any:
    """Return the task model that DSPy requires; it refuses calls, because the predictor above calls askwell."""
    return dspy.LM("askwell/target", engine=_Engine(None), cache=False)


class _Engine:
    """A DSPy engine whose calls go through the bridge; without a bridge it refuses them."""

    def __init__(self, bridge: Bridge | None) -> None:
        self._bridge = bridge

    def complete(self, request: Any) -> Any:
        wire: Any = import_module("dspy.lm15")
        if self._bridge is None:
            raise ConfigError(
                "DSPy called its task model, not askwell's predictor; install dspy>=3.4, or report its version"
            )
        system = request.system if isinstance(request.system, str) else "".join(p.text for p in request.system or ())
        turns = [Message(role="system", content=system)] if system else []
        turns += [Message(role=turn.role, content=turn.text or "") for turn in request.messages]
        text = self._bridge.ask(turns, temperature=request.config.temperature or 0.0)
        usage = wire.Usage(input_tokens=0, output_tokens=0, total_tokens=0)  # the run's log has the true counts
        message = wire.Message.assistant([wire.TextPart(text)])
        return wire.Response(id=None, model=request.model, message=message, finish_reason="stop", usage=usage)

    def stream(self, request: Any) -> Iterator[Any]:
        return iter(import_module("dspy.lm15").response_to_events(self.complete(request)))

    def close(self) -> None:
        """Nothing to free."""


@contextlib.contextmanager
def _silence() -> Generator[None]:
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
