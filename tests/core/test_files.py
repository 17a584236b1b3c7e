"""A file is written as a whole or not at all, and a link is replaced, not followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from askwell.core.files import replacing, write_whole


def test_a_new_file_and_an_old_one_hold_the_data(tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        write_whole(tmp_path / "f", data)
        assert (tmp_path / "f").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_link_is_replaced_and_its_target_is_left(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    for name, target in (("link", "victim"), ("dangling", "absent")):
        (tmp_path / name).symlink_to(tmp_path / target)
        write_whole(tmp_path / name, b"new")
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "absent").exists()


def test_after_an_error_the_file_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def fail() -> None:
        with replacing(tmp_path / "f") as draft:
            draft.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_keeps_its_permissions_and_a_new_one_has_the_usual_ones(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "new", b"")
        (tmp_path / "old").touch(mode=0o600)
        write_whole(tmp_path / "old", b"x")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "old")] == [0o644, 0o600]


def test_a_device_is_written_itself(tmp_path: Path) -> None:
    write_whole(Path("/dev/null"), b"x")
    assert not Path("/dev/null").is_file()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"through")
    assert os.read(reader, 10) == b"through"
    os.close(reader)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - its words are the system's
        write_whole(tmp_path / "d", b"x")
