"""What is read of files, pipes and standard input: all of it, up to a bound, and never of what might not end."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from pathlib import Path

import pytest

from ltc_ir import files, writing
from ltc_ir.errors import LimitError, UsageError

ENDLESS = "/dev/zero"


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfmodule {}")
    assert files.read_bytes(str(tmp_path / "a")) == b"module {}"


def test_a_pipe_is_read_where_one_is_expected_and_refused_at_once_elsewhere(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="it is a pipe, not a file"):
        files.read_bytes(str(pipe))
    data = os.urandom(300_000)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert files.read_bytes(str(pipe), pipes=True) == data
    writer.join()


def test_the_output_of_another_command_is_read_by_its_descriptor() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"module {}")
    os.close(writing)
    with contextlib.closing(os.fdopen(reading)):
        assert files.read_bytes(f"/dev/fd/{reading}", pipes=True) == b"module {}"


def test_a_file_whose_name_has_a_colon_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mlir", "C:x.hlo"):
        assert not files.names_stored_file(name)
        Path(name).write_text("module {}", encoding="utf-8")
        assert files.names_stored_file(name)
    Path("c:d").mkdir()
    assert not files.names_stored_file("c:d")


@pytest.mark.parametrize("name", sorted(files.STANDARD_INPUT))
def test_standard_input_has_several_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfmodule {}")))
    assert files.names_stored_file(name)
    assert files.read_bytes(name, pipes=True) == b"module {}"
    with pytest.raises(UsageError, match="standard input can be read once"):
        files.read_bytes("-", pipes=True)


@pytest.mark.skipif(not Path(ENDLESS).exists(), reason="this system has no such device")
def test_a_device_is_refused_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.mlir").symlink_to(ENDLESS)
    for name in (ENDLESS, str(tmp_path / "link.mlir")):
        with pytest.raises(UsageError, match="it is a device, not a file"):
            files.read_bytes(name, pipes=True)
    with Path(ENDLESS).open() as endless, monkeypatch.context() as changed:
        changed.setattr("sys.stdin", endless)
        with pytest.raises(UsageError, match="cannot read standard input: it is a device"):
            files.read_bytes("-", pipes=True)
    with Path(os.devnull).open() as nothing, monkeypatch.context() as changed:
        changed.setattr("sys.stdin", nothing)
        assert files.read_bytes("-", pipes=True) == b""


def test_other_things_than_files_are_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("gone").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        refusals = {
            "loop": "symbolic links", "gone": "No such file", ".": "it is a folder", "socket": "it is a socket",
            "a\0b": "not the name of a file", "\ud800": "not the name of a file", "": "No such file",
            "x" * 5000: "File name too long", "loop/x": "symbolic links", "socket/x": "Not a directory",
        }  # fmt: skip
        for name, words in refusals.items():
            for pipes in (False, True):
                with pytest.raises(UsageError, match=words):
                    files.read_bytes(name, pipes=pipes)


def test_a_large_file_is_refused_unread_and_a_pipe_once_it_is_too_much(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(10 << 30)
    with pytest.raises(LimitError, match="sparse has more than 512 MiB, the most that is read"):
        files.read_bytes(str(tmp_path / "sparse"))
    reading, writing = os.pipe()
    with contextlib.closing(os.fdopen(reading)), contextlib.closing(os.fdopen(writing)):
        os.write(writing, b"x" * 20)
        with pytest.raises(LimitError, match="more than 10 bytes"):
            files.read_bytes(f"/dev/fd/{reading}", 10, pipes=True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_a_file_without_a_size_is_read_to_its_end() -> None:
    assert b"\nPid:" in files.read_bytes("/proc/self/status")


HARD_NAMES = ["", "a\0b", "\ud800", "x" * 5000, "y/" * 3000, "loop", "loop/x", "file/x", "~", ".", "..", "file/", "-"]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_no_name_raises_where_it_is_only_looked_at(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_text("")
    for look in (files.is_file, files.is_folder, files.may_be_folder, files.names_stored_file, files.real_path):
        look(name)


@pytest.mark.parametrize("name", [name for name in HARD_NAMES if name not in {"~", "-", ""}])
def test_what_cannot_be_written_is_found_out_before(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_text("kept")
    with pytest.raises(UsageError, match="cannot write"):
        writing.check_writable(name)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 5000, "loop/x", "file/x", "."])
def test_a_name_that_no_file_can_have_is_refused_where_it_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_text("kept")
    with pytest.raises(UsageError, match="cannot write"):
        writing.write_whole(name, b"new")
    assert sorted(path.name for path in Path().iterdir()) == ["file", "loop"]


def test_a_name_as_long_as_it_may_be_is_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "ä" * 127):
        writing.check_writable(str(tmp_path / name))
        writing.write_whole(str(tmp_path / name), b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path.name), os.mkfifo])
def test_a_project_file_that_is_none_is_not_passed_over(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ltc_ir import config

    (tmp_path / "pyproject.toml").write_text('[tool.ltc-ir.targets]\na = "mine:f"\n')
    below = tmp_path / "below"
    below.mkdir()
    make(below / "pyproject.toml")
    monkeypatch.chdir(below)
    files.project_above.cache_clear()
    with pytest.raises(UsageError, match=r"cannot read .*pyproject.toml: "):
        config.targets()
