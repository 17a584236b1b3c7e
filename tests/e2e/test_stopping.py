"""Ctrl-C, two processes on one run, reading while it is written, and disks that refuse."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from askwell.core.types import Event
from tests.support.harness import (
    OPTIMIZER,
    answered,
    askwell,
    assert_same_events,
    calls_seen,
    ended,
    events,
    invoke,
    optimize_flags,
    start,
)
from tests.support.servers import ChatServer

SHORT = ("--steps", "2", "--candidates", "3", "--concurrency", "4")


def flags(server: ChatServer) -> list[str]:
    return [*optimize_flags(server, optimizer=f"openai:{OPTIMIZER}"), *SHORT]


def wait_for_requests(server: ChatServer, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the server has been asked so often."""
    deadline = time.monotonic() + 100
    while server.total_requests < count:
        assert process.poll() is None, ended(process)
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_ctrl_c_stops_in_order_and_resuming_ends_like_the_run_left_alone(server: ChatServer, tmp_path: Path) -> None:
    assert invoke("optimize", *flags(server), "--run", "whole", "--runs", tmp_path / "runs").status == 0
    whole = events(tmp_path / "runs" / "whole" / "log.db")
    server.bodies.clear()
    server.latency_s = 0.05
    process = start("optimize", *flags(server), "--run", "r", cwd=tmp_path)
    wait_for_requests(server, len([*server.requests]) and server.total_requests + 25, process)
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert stopped.status == 130, stopped
    assert "Go on with: askwell optimize --resume r" in stopped.err
    assert "Traceback" not in stopped.err
    log = events(tmp_path / "runs" / "r" / "log.db")
    assert 25 <= sum(calls_seen(server).values()) < 60
    assert len(answered(log)) == sum(calls_seen(server).values()), "calls in flight were finished and written"

    server.latency_s = 0.0
    resumed = askwell("optimize", "--resume", "r", cwd=tmp_path)
    assert resumed.status == 0, resumed.err
    assert_same_events(events(tmp_path / "runs" / "r" / "log.db"), whole)
    assert set(calls_seen(server).values()) == {1}


def test_a_second_ctrl_c_does_not_wait_for_a_server_that_hangs(server: ChatServer, tmp_path: Path) -> None:
    server.latency_s = 300.0
    process = start("optimize", *flags(server), "--run", "r", cwd=tmp_path)
    wait_for_requests(server, 1, process)  # the check of the target
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    process.send_signal(signal.SIGINT)
    stopped = ended(process, timeout_s=20)
    assert stopped.status == 130, stopped
    assert "--resume r" in stopped.err
    assert "Traceback" not in stopped.err


def test_a_run_can_be_read_while_it_is_written_but_only_one_process_writes(server: ChatServer, tmp_path: Path) -> None:
    server.latency_s = 0.05
    process = start("optimize", *flags(server), "--run", "r", cwd=tmp_path)
    wait_for_requests(server, 30, process)
    os.kill(process.pid, signal.SIGSTOP)  # nothing moves while we look
    try:
        shown = invoke("show", "r", "--runs", tmp_path / "runs")
        assert shown.status == 0, shown.err
        assert "Not finished. Go on with: askwell optimize --resume r" in shown.out
        [line] = invoke("runs", "--runs", tmp_path / "runs", "--json").json
        assert not line["finished"]
        assert line["target_calls"] > 0
        second = invoke("optimize", "--resume", "r", "--runs", tmp_path / "runs")
        assert second.status == 2
        assert "'r' is being written by another process" in second.err
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert ended(process).status == 0
    assert invoke("show", "r", "--runs", tmp_path / "runs", "--json").json["finished"]


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(server: ChatServer, tmp_path: Path) -> None:
    blocked = tmp_path / "runs"
    blocked.write_text("a file stands where the folder should be")
    refused = invoke("optimize", *flags(server), "--run", "r", "--runs", blocked)
    assert refused.status == 2
    assert str(blocked) in refused.err
    assert server.total_requests == 0


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("making a small disk takes root and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_and_what_was_written_before_is_kept(
    server: ChatServer, tmp_path: Path, tiny_disk: Path
) -> None:
    whole = _whole(server, tmp_path)
    before = server.total_requests
    (tiny_disk / "ballast").write_bytes(b"x" * 70_000)
    full = invoke("optimize", *flags(server), "--run", "r", "--runs", tiny_disk)
    assert full.status == 2, full
    assert "free the disk" in full.err
    assert "never retrieved" not in full.err
    log = events(tiny_disk / "r" / "log.db")
    assert log, "the first events were written"
    assert len(log) < len(whole)
    asked = server.total_requests - before

    shutil.copytree(tiny_disk / "r", tmp_path / "r")  # a disk with room
    again = invoke("optimize", "--resume", "r", "--runs", tmp_path)
    assert again.status == 0, again.err
    assert_same_events(events(tmp_path / "r" / "log.db"), whole)
    assert server.total_requests - before - asked == len(answered(whole)) - len(answered(log))


@pytest.fixture
def another_user() -> Iterator[Path]:
    """A folder that anybody may enter, for a test that becomes nobody half-way (`os.seteuid`)."""
    if os.geteuid() != 0:
        pytest.skip("takes root to become another user")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        try:
            yield place
        finally:
            os.seteuid(0)


def test_a_run_in_a_folder_one_may_only_read_can_be_shown_but_not_resumed(
    server: ChatServer, another_user: Path
) -> None:
    _whole(server, another_user)
    os.seteuid(65534)
    shown = invoke("show", "whole", "--runs", another_user, "--json")
    assert shown.status == 0, shown.err
    assert shown.json["finished"]
    resumed = invoke("optimize", "--resume", "whole", "--runs", another_user)
    assert resumed.status == 2
    assert "cannot write in the run folder" in resumed.err


def _whole(server: ChatServer, folder: Path) -> list[Event]:
    assert invoke("optimize", *flags(server), "--run", "whole", "--runs", folder).status == 0
    return events(folder / "whole" / "log.db")
