"""A `transformers` checkpoint, by folder or hub name, as a `ChatModel` with likelihoods.

Needs the `local` extra. One worker thread answers concurrent calls in batches. A reply does not depend on the other
requests of its batch: at temperature 0 up to float noise (see `dtype`), above 0 each request has its own generator.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (torch and transformers are typed in part only)

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, cast

from askwell.core.errors import ConfigError, ModelError, nearest
from askwell.core.types import Completion, Message, Request, Usage
from askwell.models.conversation import fold_system_turns, format_conversation, replace_surrogates
from askwell.models.micro_batching import MicroBatcher
from askwell.models.request_key import request_key

if TYPE_CHECKING:
    from askwell.models.decode import Continuation, DecodeRow

_LOG = logging.getLogger(__name__)
_DTYPES = ("bfloat16", "float16", "float32", "float64")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SAMPLE_BYTES = 1 << 20
_ONE_THREAD_PARAMETERS = 30_000_000
_PIP = 'it needs PyTorch and transformers: pip install "askwell[local]"'
_BROKEN = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, EOFError, UnpicklingError)
"""What loading raises for damaged files and for settings that do not fit together."""

Pair = tuple[tuple[int, ...], tuple[int, ...]]


class LocalModel:
    """A causal language model on this machine.

    The tokenizer's chat template formats the messages; without one they are joined by blank lines. `batch_size` and
    `max_batch_tokens` (rows x the longest prompt plus its `max_tokens`) bound a batch. `device` is PyTorch's name, by
    default a GPU if there is one. In float32, padding and batch shape change logits by about 1e-6, which sometimes
    decides between two near-equal tokens; `dtype="float64"` prevents that, at about twice the time for a small model
    on a CPU. At temperature 0 the most likely token is chosen and `seed` is ignored.

    Raises `ConfigError` for a missing extra, an unknown folder or dtype, `ModelError` for a checkpoint that can't be
    loaded. Hub names are downloaded at first use (not with HF_HUB_OFFLINE=1); code in checkpoints is never run.
    """

    def __init__(
        self,
        path_or_name: str,
        *,
        batch_size: int = 32,
        device: str | None = None,
        dtype: str = "float32",
        max_batch_tokens: int = 16_384,
        name: str | None = None,
    ) -> None:
        if dtype not in _DTYPES:
            raise ConfigError(f"unknown dtype {dtype!r}; {nearest(dtype, _DTYPES)}")
        folder = find_checkpoint_folder(path_or_name)
        self._model, self._tokenizer = load_checkpoint(folder or path_or_name, device, dtype)
        self._name = f"{name or 'local:' + path_or_name}{_fingerprint(folder) if folder else ''}{_dtype_tag(dtype)}"
        config = self._model.config.get_text_config()
        self._context: int | None = getattr(config, "max_position_embeddings", None)
        self._end_ids = _end_ids(self._model, self._tokenizer)
        self._thread: ThreadPoolExecutor | None = None
        self._decoding: MicroBatcher[DecodeRow, Continuation] = MicroBatcher(
            self._decode,
            lambda row: len(row.ids) + row.max_tokens,
            self._worker,
            batch_size=batch_size,
            max_cost=max_batch_tokens,
        )
        self._scoring: MicroBatcher[Pair, float] = MicroBatcher(
            self._score,
            lambda pair: len(pair[0]) + len(pair[1]),
            self._worker,
            batch_size=batch_size,
            max_cost=max_batch_tokens,
        )

    @property
    def name(self) -> str:
        """Return `name` or the path, with a fingerprint of the folder's files: retrained weights are another model."""
        return self._name

    async def complete(self, request: Request) -> Completion:
        from askwell.models.decode import DecodeRow

        started = time.perf_counter()
        ids = self._prompt_ids(request.messages)
        max_tokens = request.max_tokens if self._context is None else min(request.max_tokens, self._context - len(ids))
        if max_tokens < 1:
            error = f"the prompt has {len(ids)} tokens; {self.name} accepts {self._context} with the reply"
            return Completion(outcome="failed", fault="bad_request", error=error)
        seed = request_key(self.name, request)
        row = DecodeRow(ids=ids, max_tokens=max_tokens, temperature=request.temperature, seed=seed)
        reply = await self._decoding.submit(row)
        return Completion(
            text=self._tokenizer.decode(list(reply.ids), skip_special_tokens=True),
            outcome="ok" if reply.is_finished else "truncated",
            usage=Usage(prompt_tokens=len(ids), completion_tokens=len(reply.ids) + reply.is_finished),
            seconds=time.perf_counter() - started,
        )

    async def logprob(self, request: Request, reply: str) -> float:
        """Return log p(reply | request) in nats. Prompt and reply are tokenized separately; no end token is counted."""
        prompt_ids, reply_ids = self._prompt_ids(request.messages), self._ids(reply, special=False)
        if not reply_ids:
            return 0.0
        if self._context is not None and len(prompt_ids) + len(reply_ids) > self._context:
            total = len(prompt_ids) + len(reply_ids)
            raise ModelError(f"prompt and reply have {total} tokens; {self.name} accepts {self._context}")
        return await self._scoring.submit((prompt_ids, reply_ids))

    async def aclose(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _worker(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="askwell-local")
        return self._thread

    def _decode(self, rows: Sequence[DecodeRow]) -> Sequence[Continuation]:
        from askwell.models.decode import decode

        try:
            with _limit_threads(self._model):
                return decode(self._model, rows, end_ids=self._end_ids)
        except RuntimeError as error:  # PyTorch's only type, out of memory included
            raise self._batch_error(len(rows), error) from error

    def _score(self, pairs: Sequence[Pair]) -> Sequence[float]:
        from askwell.models.decode import log_likelihoods

        try:
            with _limit_threads(self._model):
                return log_likelihoods(self._model, pairs)
        except RuntimeError as error:
            raise self._batch_error(len(pairs), error) from error

    def _batch_error(self, rows: int, error: RuntimeError) -> ModelError:
        return ModelError(
            f"{self.name} failed on a batch of {rows}: {error}; try a smaller batch_size or max_batch_tokens"
        )

    def _prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        if self._tokenizer.chat_template is None:
            ids = self._ids(format_conversation(messages), special=True)
        else:
            ids = self._ids(self._templated(messages), special=False)
        return ids or (min(self._end_ids, default=0),)  # a model needs at least one token

    def _templated(self, messages: Sequence[Message]) -> str:
        from jinja2.exceptions import TemplateError

        def text(turns: Sequence[Message]) -> str:
            chat = [{"role": turn.role, "content": turn.content} for turn in turns]
            return self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)

        try:
            return text(messages)
        except TemplateError as error:  # Gemma and Mistral have no system role, and roles must alternate
            _LOG.info("%s puts system text into the user message (error of its chat template: %s)", self.name, error)
            return text(fold_system_turns(messages))

    def _ids(self, text: str, *, special: bool) -> tuple[int, ...]:
        return tuple(self._tokenizer(replace_surrogates(text), add_special_tokens=special)["input_ids"])


def load_checkpoint(source: str | Path, device: str | None, dtype: str, *, local_only: bool = False) -> tuple[Any, Any]:
    """Return (model, tokenizer), without progress bars. Code in the checkpoint's folder is never run.

    `local_only` downloads nothing. Raises the errors of `LocalModel`.
    """
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ConfigError(f"can't run {str(source)!r}: {_PIP}") from error
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with hide_progress_bars():
            # Without trust_remote_code=False transformers asks at the terminal whether to run the folder's code.
            options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local_only}
            location = _find_downloaded(str(source)) if local_only and not Path(source).is_dir() else source
            tokenizer = AutoTokenizer.from_pretrained(location, **options)
            model = AutoModelForCausalLM.from_pretrained(location, dtype=getattr(torch, dtype), **options)
        return cast("Any", model).to(device).eval(), tokenizer
    except (*_BROKEN, SafetensorError) as error:
        expected = "expected a folder made by save_pretrained, or the name of a causal language model on the hub"
        if local_only and not Path(source).is_dir():
            expected = "a saved policy downloads nothing: if you trust this model, load it once by its name, then retry"
        raise ModelError(f"can't load {str(source)!r}: {error}; {expected}") from error


def _find_downloaded(name: str) -> str:
    """Return the folder of a model that was downloaded before: by its name alone transformers still asks the hub."""
    from huggingface_hub import snapshot_download

    return snapshot_download(name, local_files_only=True)


@contextmanager
def hide_progress_bars() -> Generator[None]:
    """Hide transformers' progress bars while checkpoints are read or written."""
    from transformers.utils import logging as transformers_logging

    showed_progress = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if showed_progress:
            transformers_logging.enable_progress_bar()


def find_checkpoint_folder(path_or_name: str) -> Path | None:
    """Return the checkpoint folder, or None for a hub name. Raises `ConfigError` for a wrong path."""
    path = Path(path_or_name).expanduser()
    _refuse_gguf(path)
    if path.is_dir():
        return path
    looks_like_path = path_or_name.startswith((".", "~")) or (os.sep in path_or_name and path.parent.is_dir())
    if looks_like_path or path.exists() or not _HUB_NAME.fullmatch(path_or_name):
        raise ConfigError(
            f"no checkpoint folder {path_or_name!r}; give a folder made by save_pretrained, or a hub name"
        )
    return None


def _refuse_gguf(path: Path) -> None:
    """Raise `ConfigError` for a GGUF file, or a folder whose only weights are GGUF: transformers reads neither."""
    files = [path] if path.suffix.lower() == ".gguf" else sorted(path.glob("*.[gG][gG][uU][fF]"))
    if not files or (path / "config.json").exists():
        return
    name = files[0].name
    raise ConfigError(
        f"{str(path)!r} holds GGUF weights ({name}); local: takes a folder made by save_pretrained. Serve the file "
        f"(llama-server -m {name}) and give llama.cpp:NAME, with completions for a base model, or convert it to a "
        "checkpoint folder"
    )


def _fingerprint(folder: Path) -> str:
    """Return `#` and 8 hex digits over the folder's files: name, size, first and last MiB."""
    digest = hashlib.blake2b(digest_size=4)
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.name} {size} ".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            stream.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(stream.read(_SAMPLE_BYTES))
    return f"#{digest.hexdigest()}"


@contextmanager
def _limit_threads(model: Any) -> Generator[None]:  # noqa: ANN401 - partly typed libraries
    """Run a small model on one thread while a batch lasts.

    Its layers are too small to parallelize. If another process uses a core, PyTorch's threads wait for each other at
    every layer: 256 replies of a 2 M model took 95 s with two threads and 5 s with one on a busy machine.
    """
    import torch

    if model.num_parameters() > _ONE_THREAD_PARAMETERS:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _dtype_tag(dtype: str) -> str:
    return "" if dtype == "float32" else f"@{dtype}"


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:  # noqa: ANN401 - partly typed libraries
    end_ids: set[int] = set()
    for ids in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        end_ids.update([ids] if isinstance(ids, int) else ids or ())
    return frozenset(end_ids)
