"""Send a model's requests through its provider's batch API: half the price, answers within a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from askwell.core.errors import ConfigError, nearest
from askwell.core.protocols import ChatModel
from askwell.core.types import FINAL_FAULTS, Completion, Request
from askwell.models.batch.anthropic import AnthropicBatches
from askwell.models.batch.endpoint import BatchApi
from askwell.models.batch.ledger import Ledger, NoLedger
from askwell.models.batch.openai import OpenAIBatches, make_boundary
from askwell.models.batch.submitter import BatchResult, BatchSubmitter
from askwell.models.http.json_codec import dumps
from askwell.models.parts import ModelParts
from askwell.models.per_loop import PerLoop
from askwell.models.providers.http_model import HttpModel
from askwell.models.providers.quirks import Body
from askwell.models.request_key import request_key

_LOG = logging.getLogger(__name__)
_TRANSFER_S = 600.0  # uploads and downloads of a whole batch
_QUIET_S = 1.0  # without a new request for this long, a step has sent all its requests
_REQUEST_OVERHEAD_BYTES = 200  # the fields around a body in a batch file
_MAX_PROBES = 3
MIN_BATCH_SIZE = 20
"""Fewer requests are sent directly: their discount is not worth a wait of hours."""
BATCH_FORMATS = ("openai", "anthropic")
"""Formats of the providers whose batch API is implemented."""


@dataclass(frozen=True, slots=True)
class _QueuedRequest:
    body: Body
    result: asyncio.Future[BatchResult]


@dataclass(slots=True)
class _BatchingState:
    """The state of one event loop."""

    submitter: BatchSubmitter
    queued: dict[str, _QueuedRequest] = field(default_factory=dict[str, _QueuedRequest])
    """Requests of the next batch, by key."""
    timer: asyncio.TimerHandle | None = None
    resuming: asyncio.Task[Completion | None] | None = None
    flushing: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])
    is_probed: bool = False
    """Whether a direct request has shown that key and model are valid."""
    probe: asyncio.Future[Completion] | None = None
    probe_key: str = ""
    stopped: Completion | None = None


class _SendDirectlyError(Exception):
    """The request is to be sent directly, not in a batch."""


class Batched:
    """Collect the requests of a step and submit them as batches.

    A batch is submitted when no request came for `min(poll_s, 1)` seconds, or at the provider's size limit. Its answers
    equal those of direct calls. A request without an answer is a failed call, and goes into the next batch when it is
    retried (`Retrying(Batched(…))`). Fewer than `min_batch_size` requests are sent directly, at the full price. So is
    the first request of all, the probe: a bad key or an unknown model is reported within seconds, and the server's
    quirks are known before hundreds of requests fail because of them. Use it without `Limited` and `SampleBatching`:
    all requests of a step should wait here.

    `ledger` records which requests are in which batch, before a batch is submitted, and is read at the first request.
    So the batches of a killed process are resumed, and nothing is paid for twice.
    """

    def __init__(
        self,
        model: HttpModel,
        *,
        api: BatchApi | None = None,
        direct: ChatModel | None = None,
        name: str | None = None,
        poll_s: float = 30.0,
        min_batch_size: int = MIN_BATCH_SIZE,
    ) -> None:
        if poll_s <= 0:
            raise ConfigError(f"poll_s={poll_s!r} must be above 0")
        self.inner = model
        self.api = api or find_batch_api(model)
        self.ledger: Ledger = NoLedger()
        self.notify: Callable[[str], object] = _LOG.info
        """Receives a line of text for each change of a batch; at most one in `poll_s` per batch."""
        self._direct = direct or model
        self._name = name or model.name
        self._poll_s, self._min_batch_size = poll_s, min_batch_size
        self._states = PerLoop(self._open_state)
        self.parts = ModelParts(negotiating=(model,), batches=self, price=self.price, direct_price=model.price)

    @property
    def name(self) -> str:
        return self._name

    def price(self, prompt: int, cached: int, completion: int) -> float | None:
        """Return the price of a call in a batch in dollars; None if it is unknown."""
        usual = self.inner.price(prompt, cached, completion)
        return None if usual is None else usual * self.api.price_factor

    async def complete(self, request: Request) -> Completion:
        state = self._states.get()
        key = request_key(self.name, request)
        problem = await self._ensure_resumed(state)
        if problem is not None:
            return problem
        try:
            completion = await self.inner.complete_via(request, partial(self._send, state, key))
        except _SendDirectlyError:
            return await self._send_directly(state, key, request)
        return replace(_discount(completion, self.api.price_factor), seconds=0.0)  # hours of queueing are no latency

    def stop(self) -> None:
        """Fail every waiting call. The batches continue at the provider; a later process resumes them."""
        state = self._states.get()
        batches = ", ".join(state.submitter.open_batches)
        error = f"stopped; batch {batches} goes on at the provider" if batches else "stopped"
        state.stopped = Completion(outcome="failed", fault="budget", error=error)
        waiters = [*state.submitter.waiters.values(), *(queued.result for queued in state.queued.values())]
        state.queued.clear()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(state.stopped)

    async def drain(self) -> None:
        """Finish the submissions under way and stop polling. Call it before the ledger is closed."""
        state = self._states.get()
        if state.timer is not None:
            state.timer.cancel()
        if state.flushing:
            await asyncio.wait(state.flushing, timeout=_QUIET_S)
        await state.submitter.drain()
        self._states.pop()

    async def aclose(self) -> None:
        await self.drain()
        await self.api.aclose()
        await self._direct.aclose()
        await self.inner.aclose()

    def _open_state(self) -> _BatchingState:
        submitter = BatchSubmitter(api=self.api, ledger=self.ledger, poll_s=self._poll_s, notify=self._notify)
        return _BatchingState(submitter)

    def _notify(self, text: str) -> None:
        self.notify(text)  # looked up at each call: the caller may replace it while batches are open

    async def _ensure_resumed(self, state: _BatchingState) -> Completion | None:
        """Resume the batches of an earlier process, once; return the failure that prevents any call."""
        if state.resuming is None:
            state.resuming = asyncio.get_running_loop().create_task(self._resume(state))
        resuming = state.resuming
        problem = await asyncio.shield(resuming)
        if problem is not None and problem.fault not in FINAL_FAULTS and state.resuming is resuming:
            state.resuming = None  # a transient fault: the next call tries again
        return state.stopped or problem

    async def _resume(self, state: _BatchingState) -> Completion | None:
        submissions = self.ledger.submissions()
        state.probe_key = self.ledger.probe_key()
        state.is_probed = bool(submissions) or (bool(state.probe_key) and self.ledger.is_answered(state.probe_key))
        return await state.submitter.resume()

    async def _send(self, state: _BatchingState, key: str, body: Body) -> BatchResult:
        """Return the result of this request: from an open batch, or from the next one."""
        submitter = state.submitter
        if state.stopped is not None:
            return state.stopped
        if key in submitter.unclaimed:
            return submitter.unclaimed.pop(key)
        loop = asyncio.get_running_loop()
        if key in submitter.submitted:
            return await asyncio.shield(submitter.waiters.setdefault(key, loop.create_future()))
        queued = state.queued.setdefault(key, _QueuedRequest(body, loop.create_future()))
        if state.timer is not None:
            state.timer.cancel()
        state.timer = loop.call_later(min(self._poll_s, _QUIET_S), self._flush, state)
        return await asyncio.shield(queued.result)

    def _flush(self, state: _BatchingState) -> None:
        state.timer = None
        queued, state.queued = state.queued, {}
        task = asyncio.get_running_loop().create_task(self._dispatch(state, queued))
        state.flushing.add(task)
        task.add_done_callback(state.flushing.discard)

    async def _dispatch(self, state: _BatchingState, queued: dict[str, _QueuedRequest]) -> None:
        if len(queued) < self._min_batch_size:
            for request in queued.values():
                request.result.set_exception(_SendDirectlyError())
            return
        if not state.is_probed:
            failure = await self._run_probes(state, queued)
            if failure is not None:
                for request in queued.values():
                    request.result.set_result(failure)
                return
        if state.stopped is None:
            self._submit(state, queued)

    def _submit(self, state: _BatchingState, queued: dict[str, _QueuedRequest]) -> None:
        """Submit requests in as few batches as the provider's limits allow."""
        bodies: dict[str, Body] = {}
        size = 0
        limit = min(state.submitter.max_requests or self.api.max_requests, self.api.max_requests)
        for key, request in queued.items():
            body = self.inner.negotiation.adapt(request.body)
            length = len(dumps(body)) + _REQUEST_OVERHEAD_BYTES
            if bodies and (len(bodies) >= limit or size + length > self.api.max_bytes):
                state.submitter.submit(bodies)
                bodies, size = {}, 0
            state.submitter.waiters[key] = request.result
            bodies[key], size = body, size + length
        state.submitter.submit(bodies)

    async def _run_probes(self, state: _BatchingState, queued: dict[str, _QueuedRequest]) -> Completion | None:
        """Send requests directly until one is answered; return the failure if all requests would fail so.

        A rejected request may be at fault itself (a question that is too long), so a few others are tried.
        """
        failure: Completion | None = None
        for _ in range(min(_MAX_PROBES, len(queued))):
            failure = await self._run_probe(state, queued)
            if failure is None or failure.fault != "bad_request":
                break
        return failure

    async def _run_probe(self, state: _BatchingState, queued: dict[str, _QueuedRequest]) -> Completion | None:
        """Send one request directly before the first batch; return its failure if all requests would fail so.

        A resumed run probes with the same request, so that the probe is not paid for twice.
        """
        key = state.probe_key if state.probe_key in queued else next(iter(queued))
        state.probe_key, state.is_probed = key, True
        state.probe = asyncio.get_running_loop().create_future()
        await self.ledger.write({"probe": key})
        queued.pop(key).result.set_exception(_SendDirectlyError())
        completion = await state.probe
        state.is_probed = completion.fault not in FINAL_FAULTS
        return None if state.is_probed else completion

    async def _send_directly(self, state: _BatchingState, key: str, request: Request) -> Completion:
        completion = Completion(outcome="failed", fault="budget", error="cancelled")
        try:
            completion = await self._direct.complete(request)
        finally:
            if key == state.probe_key and state.probe is not None and not state.probe.done():
                state.probe.set_result(completion)
        return completion


def find_batch_api(model: HttpModel) -> BatchApi:
    """Return the batch API of a model's provider. Raises `ConfigError` if none is implemented."""
    client = model.client(timeout_s=_TRANSFER_S)
    if model.format == "anthropic":
        return AnthropicBatches(model.endpoint, client)
    if model.format == "openai":
        boundary = make_boundary()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        upload = model.client(timeout_s=_TRANSFER_S, headers=headers)
        return OpenAIBatches(model.endpoint, client, upload, boundary=boundary)
    raise ConfigError(f"no batches for {model.name!r}; {nearest(model.format, BATCH_FORMATS)}, or leave batch out")


def _discount(completion: Completion, factor: float) -> Completion:
    cost = completion.usage.cost_usd
    return completion if cost is None else replace(completion, usage=replace(completion.usage, cost_usd=cost * factor))
