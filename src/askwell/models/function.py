"""A Python function as a `ChatModel`, for models that askwell has no class for."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

from askwell.core.errors import ConfigError, ModelError
from askwell.core.types import Completion, Fault, Request
from askwell.models.conversation import format_conversation, replace_surrogates
from askwell.models.function_code import digest_function

_DISK_ERRORS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)

ModelFunction = Callable[..., object]
"""(prompt text or `Request`) -> reply text or `Completion`, or an awaitable of these."""


class FunctionModel:
    """Call `function` for each request: on the event loop if it is async, else in one of `max_threads` threads.

    A parameter annotated `Request` receives the whole request, any other the conversation as one text. The function
    returns the reply, or a `Completion` with usage, price and outcome.
    `TimeoutError`, `ConnectionError` and network `OSError`s become failed completions, to be retried. Any other
    exception is a bug in the function or its use: `ModelError`, with the original as its cause.
    `name` is part of the cache key: change it when the function's answers change.
    """

    def __init__(self, function: ModelFunction, *, name: str | None = None, max_threads: int = 32) -> None:
        if not callable(function):
            raise ConfigError(f"model {function!r} must be a function of one parameter")
        self._label: str = getattr(function, "__qualname__", type(function).__qualname__)
        self._name = name or f"function:{self._label}"
        self._function = function
        self._takes_request = _takes_request(function, self._label)
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - to see whether it is async, not whether it is callable
        )
        self._max_threads = max_threads
        self._threads: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def code(self) -> str:
        """Return a digest of the function's code, behind the version of Python that compiled it."""
        return digest_function(self._function)

    async def complete(self, request: Request) -> Completion:
        started = time.perf_counter()
        # `gather` returns exceptions as values, so that only the kinds distinguished below are handled.
        [result] = await asyncio.gather(self._call(request), return_exceptions=True)
        seconds = time.perf_counter() - started
        if isinstance(result, str):
            return Completion(text=replace_surrogates(result), seconds=seconds)
        if isinstance(result, Completion):
            return replace(result, seconds=result.seconds or seconds)
        if isinstance(result, BaseException):
            return self._failed(result, seconds)
        raise ModelError(f"{self._label} returned {result!r}; expected a str (the reply) or a Completion")

    async def aclose(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _call(self, request: Request) -> object:
        argument = request if self._takes_request else format_conversation(request.messages)
        if self._is_async:
            return await cast("Awaitable[object]", self._function(argument))
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._max_threads, thread_name_prefix=self._name)
        result = await asyncio.get_running_loop().run_in_executor(self._threads, self._call_plain, argument)
        return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result

    def _call_plain(self, argument: object) -> object:
        try:
            return self._function(argument)
        except StopIteration as error:  # can't travel through a future: Python 3.11 would wait forever
            raise RuntimeError(f"{self._label} let StopIteration escape") from error

    def _failed(self, error: BaseException, seconds: float) -> Completion:
        fault: Fault
        if isinstance(error, TimeoutError):
            fault = "timeout"
        elif isinstance(error, OSError) and not isinstance(error, _DISK_ERRORS):
            fault = "connection"
        elif isinstance(error, Exception) and not isinstance(error, ModelError):
            raise ModelError(f"{self._label} raised {type(error).__name__}: {error}") from error
        else:
            raise error  # cancellation and interrupts are not failures of the function
        text = f"{self._label} raised {type(error).__name__}: {error}"
        return Completion(outcome="failed", fault=fault, error=text, seconds=seconds)


def _takes_request(function: ModelFunction, label: str) -> bool:
    """Return whether the only parameter is annotated `Request` (annotations may be strings)."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # some built-ins have no signature
        return False
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or len(required) > 1 or any(parameter.kind is parameter.KEYWORD_ONLY for parameter in required):
        raise ConfigError(
            f"{label}{inspect.signature(function)} must take one parameter: the prompt text, or a Request"
        )
    annotation: object = parameters[0].annotation
    if isinstance(annotation, str):
        return annotation.strip("\"'").rsplit(".", 1)[-1] == "Request"
    return annotation is Request
