"""Workers: whatever a job does to its process, the answer is the job's own or says how the process ended."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, wait
from pathlib import Path
from typing import Any

import pytest

from ltc_ir.errors import LimitError, NotComparableError, TargetError
from ltc_ir.workers import guard
from ltc_ir.workers.limits import DeadlineError, Limits, MemoryLimitError, WorkerDiedError
from ltc_ir.workers.pool import Pool
from ltc_ir.workers.process import JobBugError, Worker
from ltc_ir.workers.protocol import Frames, GarbledError, frame
from tests.workers.jobs import GARBAGE

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory of another process is read on Linux only")


def named(job: str) -> str:
    return f"tests.workers.jobs:{job}"


def called(job: str, *args: Any, **worker: Any) -> Any:
    with Worker(**worker) as one:
        return one.call(named(job), *args)


def is_gone(pid: int) -> bool:
    """Whether a process has ended within two seconds; a zombie has."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


# answers


@pytest.mark.parametrize("value", [None, 1, 2.5, "ä\ud800\n", [1, [2]], {"a": {"b": None}}])
def test_values_come_back_as_they_were_sent(value: Any):
    assert called("echo", value) == value


def test_bytes_travel_as_they_are_in_both_directions():
    data = os.urandom(1 << 10) * (100 << 10)
    assert called("size", data) == 100 << 20
    assert called("doubled", 1, data) == data
    assert called("size", b"") == 0


def test_a_worker_keeps_its_process_until_it_is_closed():
    with Worker() as worker:
        first, second = (worker.call(named("whereabouts"))["pid"] for _ in range(2))
        assert first == second != os.getpid()
    assert is_gone(first)


def test_a_worker_has_this_process_s_import_path_and_its_own_variables(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    there = called("whereabouts", environment={"A_VARIABLE": "b"})
    assert str(tmp_path) in there["path"]
    assert there["variable"] == "b"


def test_code_in_the_current_folder_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert called("echo", 1) == 1


def test_progress_is_heard_in_order_and_before_the_answer():
    heard: list[int] = []
    assert called("counts_to", 500, hear=heard.append) == "done"
    assert heard == list(range(500))


def test_what_hears_may_refuse():
    def refuse(_: Any) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        called("counts_to", 5, hear=refuse)


def test_a_job_called_outside_a_worker_tells_nobody():
    from tests.workers.jobs import counts_to

    assert counts_to(3) == "done"


# what is no answer


def test_garbage_on_every_standard_descriptor_goes_to_stderr(capfd):
    assert called("prints") == "answered"
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("forged") == 2
    assert "said by print" in err
    assert "said by a shell" in err


def test_a_quiet_worker_prints_nothing(capfd):
    assert called("prints", quiet=True) == "answered"
    assert capfd.readouterr() == ("", "")


def test_a_job_that_closes_the_standard_descriptors_answers():
    assert called("closes_descriptors") == "answered"


def test_garbage_on_the_answers_themselves_is_no_answer():
    start = time.monotonic()
    with pytest.raises(WorkerDiedError) as caught:
        called("writes_everywhere")
    assert caught.value.code == -signal.SIGKILL
    assert time.monotonic() - start < 4


def test_half_a_frame_is_no_answer():
    with pytest.raises(WorkerDiedError) as caught:
        called("half_a_frame")
    assert caught.value.code == 0


# ends


@pytest.mark.parametrize(
    ("job", "argument", "code", "how"),
    [
        ("leaves", 0, 0, "it ended its process (exit 0)"),
        ("leaves", 3, 3, "it ended its process (exit 3)"),
        ("kills_itself", signal.SIGKILL, -9, "its process did not survive (SIGKILL)"),
        ("kills_itself", signal.SIGSEGV, -11, "its process did not survive (SIGSEGV)"),
    ],
)
def test_a_process_that_ends_is_a_limit_that_says_how(job: str, argument: int, code: int, how: str):
    with pytest.raises(WorkerDiedError, match=re.escape(how)) as caught:
        called(job, int(argument))
    assert isinstance(caught.value, LimitError)
    assert (caught.value.code, caught.value.how) == (code, how)


@pytest.mark.parametrize(
    ("job", "arguments", "name"), [("exits", [4], "SystemExit"), ("interrupts", [], "KeyboardInterrupt")]
)
def test_what_a_job_raises_to_end_a_process_fails_the_job_only(job: str, arguments: list[int], name: str):
    with Worker() as worker:
        pid = worker.call(named("whereabouts"))["pid"]
        with pytest.raises(TargetError, match=f"failed to run: {name}"):
            worker.call(named(job), *arguments)
        assert worker.call(named("whereabouts"))["pid"] == pid


def test_last_words_are_kept():
    with pytest.raises(WorkerDiedError) as caught:
        called("speaks_and_leaves", quiet=True)
    assert caught.value.last_words == "its last words\n"


def test_a_worker_starts_again_after_a_job_that_ended_it(tmp_path):
    with Worker() as worker:
        with pytest.raises(WorkerDiedError):
            worker.call(named("dies_once"), str(tmp_path / "marker"))
        assert worker.call(named("dies_once"), str(tmp_path / "marker")) == "lived"


def test_errors_for_users_arrive_as_they_were_raised():
    with pytest.raises(TargetError, match="it failed") as caught:
        called("fails", "target")
    assert (caught.value.hint, caught.value.detail) == ("look at it", "Traceback: all of it")
    with pytest.raises(NotComparableError):
        called("fails", "incomparable")


def test_a_bug_in_a_job_brings_its_traceback_and_leaves_the_process():
    with Worker() as worker:
        pid = worker.call(named("whereabouts"))["pid"]
        with pytest.raises(JobBugError, match=r"(?s)in fails.*ZeroDivisionError: bug"):
            worker.call(named("fails"), "bug")
        assert worker.call(named("whereabouts"))["pid"] == pid


@pytest.mark.parametrize("job", ["tests.workers.jobs:nowhere", "tests.workers.nowhere:job"])
def test_an_unknown_job_is_a_bug(job: str):
    with Worker() as worker, pytest.raises(JobBugError, match="nowhere"):
        worker.call(job)


@pytest.mark.parametrize("job", ["sleeps", "spins"])
def test_a_deadline_ends_a_job(job: str):
    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"longer than 0\.7 s"):
        called(job, *([1000] if job == "sleeps" else []), limits=Limits(deadline_s=0.7))
    assert time.monotonic() - start < 3


def test_a_heartbeat_puts_the_deadline_off():
    assert called("beats", 4, 0.5, limits=Limits(deadline_s=1.5)) == 4


@linux
def test_resident_memory_is_limited():
    with pytest.raises(MemoryLimitError) as caught:
        called("fills", 400, limits=Limits(memory_bytes=200 << 20))
    assert caught.value.used > caught.value.allowed == 200 << 20


@linux
def test_the_kernel_limits_address_space_and_the_job_notices():
    assert called("allocates", 2000, limits=Limits(kernel={"AS": 1 << 30, "CORE": 0, "NONE": 1})) == "refused"
    assert called("allocates", 20, limits=Limits(kernel={"AS": 1 << 30})) == str(20 << 20)


# copies and children of a job


def test_a_copy_that_a_job_forks_answers_nothing():
    heard: list[str] = []
    with Worker(hear=heard.append) as worker:
        for _ in range(3):
            assert worker.call(named("forks"), False) == "original"
    assert heard == ["original"] * 3


def test_a_copy_that_outlives_the_job_s_process_is_no_answer():
    with pytest.raises(WorkerDiedError, match="exit 0"):
        called("forks", True)


def test_what_a_job_started_ends_with_its_worker():
    with Worker() as worker:
        pid = worker.call(named("starts_a_process"))
        os.kill(pid, 0)
    assert is_gone(pid)


@pytest.mark.skipif(sys.platform == "darwin", reason="a thread ends it there, which this job does not let run")
def test_a_worker_ends_with_the_process_that_started_it_however_that_ends(tmp_path):
    """The job never returns to the interpreter, and has started a process."""
    code = f"from tests.workers.test_workers import called; called('starts_and_spins', {str(tmp_path / 'pids')!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    while not ((tmp_path / "pids").exists() and (tmp_path / "pids").read_text(encoding="ascii").endswith("\n")):
        time.sleep(0.02)
    pids = list(map(int, (tmp_path / "pids").read_text(encoding="ascii").split()))
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    assert all(map(is_gone, pids))


def numbers_in(file: Path) -> list[int]:
    """The processes that a job wrote into a file."""
    while not (file.exists() and file.read_text(encoding="ascii").endswith("\n")):
        time.sleep(0.02)
    return list(map(int, file.read_text(encoding="ascii").split()))


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_outlives_the_process_that_started_a_worker(number: signal.Signals, tmp_path: Path):
    """The job has closed its descriptors, refuses signals, and has a child and a daemon that lead sessions of their own."""
    code = f"from tests.workers.test_workers import called; called('escapes', {str(tmp_path / 'pids')!r}, 'never')"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    pids = numbers_in(tmp_path / "pids")
    assert len(pids) == 3
    parent.send_signal(number)
    parent.wait()
    assert all(map(is_gone, pids))


@linux
@pytest.mark.parametrize(("end", "how"), [("exit", "it ended its process (exit 3)"), ("never", "took longer")])
def test_nothing_outlives_a_job_that_tried_to(end: str, how: str, tmp_path: Path):
    with pytest.raises(LimitError, match=re.escape(how)):
        called("escapes", str(tmp_path / "pids"), end, limits=Limits(deadline_s=4))
    assert all(map(is_gone, numbers_in(tmp_path / "pids")))


@linux
def test_a_copy_of_the_parent_that_lives_on_keeps_no_worker(tmp_path: Path):
    """It holds every descriptor that the parent had."""
    code = (
        "import os, threading, time; from pathlib import Path; from tests.workers.test_workers import called\n"
        f"file = Path({str(tmp_path / 'pids')!r})\n"
        "threading.Thread(target=called, args=('escapes', str(file), 'never')).start()\n"
        "while not file.exists(): time.sleep(0.02)\n"
        "if not os.fork(): time.sleep(30)\n"
        "os._exit(0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    try:
        assert parent.wait(60) == 0
        assert all(map(is_gone, numbers_in(tmp_path / "pids")))
    finally:
        os.killpg(parent.pid, signal.SIGKILL)


@linux
def test_a_worker_knows_its_deadline_where_its_parent_can_do_nothing(tmp_path: Path):
    """The parent is stopped, as by a key at a terminal."""
    code = (
        "from ltc_ir.workers.limits import Limits\n"
        "from tests.workers.test_workers import called\n"
        f"called('escapes', {str(tmp_path / 'pids')!r}, 'never', limits=Limits(deadline_s=4))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    pids = numbers_in(tmp_path / "pids")
    parent.send_signal(signal.SIGSTOP)
    try:
        until = time.monotonic() + guard.GRACE_S + 10
        while not all(map(is_gone, pids)):
            assert time.monotonic() < until
    finally:
        parent.kill()
        parent.wait()


def test_a_killed_worker_leaves_no_temporary_folder(tmp_path: Path):
    with pytest.raises(DeadlineError):
        called("keeps_temporary", str(tmp_path / "name"), limits=Limits(deadline_s=3))
    folder = Path((tmp_path / "name").read_text(encoding="utf-8").rstrip())
    assert folder.name.startswith("ltc-ir-")
    assert not folder.exists()


def test_an_answer_goes_to_no_file_that_was_opened_in_place_of_the_descriptor(tmp_path: Path):
    with pytest.raises(WorkerDiedError):
        called("closes_and_opens", str(tmp_path / "file"))
    files = list(tmp_path.iterdir())
    assert len(files) == 64
    assert not any(file.stat().st_size for file in files)


def test_an_idle_worker_ends_with_the_process_that_started_it():
    code = (
        "import os, signal; from ltc_ir.workers.process import Worker\n"
        "print(Worker().call('tests.workers.jobs:whereabouts')['pid'], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert is_gone(int(done.stdout))


def test_no_descriptor_is_left_open(tmp_path):
    def descriptors() -> int:
        gc.collect()
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    for _ in range(3):
        called("echo", 1)
        with pytest.raises(WorkerDiedError):
            called("leaves", 1, quiet=True)
    assert descriptors() == before


# pools


def test_a_pool_runs_as_many_jobs_at_a_time_as_it_has_processes():
    start = time.monotonic()
    with Pool(2) as pool:
        futures = [pool.submit(named("sleeps"), 1.0) for _ in range(2)]
        assert not any(future.done() for future in futures)
        assert [future.result() for future in futures] == ["slept"] * 2
        pids = {future.result()["pid"] for future in [pool.submit(named("whereabouts")) for _ in range(6)]}
    assert time.monotonic() - start < 1.9
    assert 1 <= len(pids) <= 2
    assert all(map(is_gone, pids))


def test_futures_fail_one_by_one(tmp_path):
    with Pool(1, limits=Limits(deadline_s=5)) as pool:
        jobs = [("leaves", 1), ("fails", "target"), ("fails", "bug"), ("sleeps", 1000), ("echo", "after all that")]
        futures = [pool.submit(named(job), argument) for job, argument in jobs]
        wait(futures)
        kinds = [type(future.exception()) for future in futures]
        assert kinds == [WorkerDiedError, TargetError, JobBugError, DeadlineError, type(None)]
        assert futures[-1].result() == "after all that"


def test_what_waits_can_be_cancelled_and_what_runs_cannot():
    with Pool(1) as pool:
        running, waiting = pool.submit(named("sleeps"), 1.0), pool.submit(named("sleeps"), 1000)
        while not running.running():
            time.sleep(0.01)
        assert waiting.cancel()
        assert not running.cancel()
        assert running.result() == "slept"
        with pytest.raises(CancelledError):
            waiting.result()


def test_an_error_in_the_block_kills_what_runs_and_cancels_what_waits():
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Pool(1) as pool:
        running, waiting = pool.submit(named("sleeps"), 1000), pool.submit(named("sleeps"), 1000)
        while not running.running():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert isinstance(running.exception(), WorkerDiedError)
    assert waiting.cancelled()
    assert time.monotonic() - start < 5


# frames


def test_frames_are_found_however_they_arrive():
    sent = [({"kind": "told", "value": number}, os.urandom(number)) for number in range(40)]
    stream = b"".join(b"".join(frame(message, data)) for message, data in sent)
    for step in (1, 7, 100, len(stream)):
        frames = Frames()
        found = [each for at in range(0, len(stream), step) for each in frames.feed(stream[at : at + step])]
        assert found == sent


@pytest.mark.parametrize("garbage", [GARBAGE, frame({})[0].replace(b"{}", b"{]"), frame([])[0]])  # type: ignore[arg-type]
def test_what_is_not_a_frame_is_refused(garbage: bytes):
    with pytest.raises(GarbledError):
        list(Frames().feed(garbage))
