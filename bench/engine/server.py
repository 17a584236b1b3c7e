"""The bench server as a context manager, and a measurement that shows it is not the bottleneck.

Command:  python -m bench.engine.server            # its capacity: calls/s and CPU per call at no latency

    with bench_server(latency_ms=200) as server:
        OpenAIModel("tiny", base_url=server.base_url)

`server.c` and `load.c` are compiled with `cc` into a temporary folder each time; nothing is installed.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit on requests; see `server.c`."""

    per_second: float
    limiter: Literal["fixed", "sliding", "bucket"]
    span_s: float = 1.0
    says_when: bool = False

    def arguments(self) -> list[str]:
        return [
            "--limit", str(self.per_second), "--limiter", self.limiter, "--span", str(self.span_s),
            "--retry-after", str(int(self.says_when)),
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchServer:
    """A running server."""

    port: int
    pid: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """Return the server's counts, and its CPU milliseconds since it began."""
        return self._request("/stats", "GET")

    def reset(self) -> None:
        """Reset the counts and empty the prefix caches."""
        self._request("/reset", "POST")

    def _request(self, path: str, method: str) -> dict[str, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def bench_server(
    *, latency_ms: float, p99_ratio: float = 1.0, seed: int = 0, slots: Sequence[int] = (), limit: Limit | None = None
) -> Generator[BenchServer]:
    """Compile and run the server: constant latency, or log-normal with this ratio of 99th percentile to median.

    `slots` are the sizes of the prefix caches that it simulates; `limit` makes it refuse requests above a rate.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("server.c", Path(folder))
        arguments = ["--latency-ms", str(latency_ms), "--p99-ratio", str(p99_ratio), "--seed", str(seed)]
        if slots:
            arguments += ["--slots", ",".join(map(str, slots))]
        if limit is not None:
            arguments += limit.arguments()
        process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            yield BenchServer(port=int(process.stdout.readline()), pid=process.pid)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def compiled(source: str, folder: Path) -> Path:
    """Compile a C file of this folder and return the program."""
    program = folder / Path(source).stem
    subprocess.run(["cc", "-O2", "-o", program, _HERE / source, "-lm"], check=True)
    return program


def main() -> None:
    """Load the server from C, with no latency: calls per second, and CPU per call."""
    with tempfile.TemporaryDirectory() as folder, bench_server(latency_ms=0.0) as server:
        load = compiled("load.c", Path(folder))
        for connections in (64, 256, 512):
            before = server.stats()["cpu_ms"]
            calls = 100_000
            ran = subprocess.run(
                [load, str(server.port), str(connections), str(calls)], check=True, capture_output=True, text=True
            )
            loaded = json.loads(ran.stdout)
            cpu = (server.stats()["cpu_ms"] - before) / calls
            print(f"{connections:4d} connections: {loaded['calls_per_s']:7,.0f} calls/s, {cpu:.4f} ms CPU per call")


if __name__ == "__main__":
    main()
