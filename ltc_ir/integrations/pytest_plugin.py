"""The pytest plugin: a fixture that holds functions against snapshots, and a footer. It imports nothing heavy until used.

Workers of pytest-xdist trace and compare; what is to be written and counted travels in the reports of their tests, and the
controller writes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

FIXTURE = "check_ir"
KEPT = pytest.StashKey[list[dict[str, Any]]]()
"""Where an item keeps what its test checked."""
_SENT = "ltc_ir"
"""The attribute of a report, and the key of a worker's output, that carry it: plain data, which passes between processes."""
_FAILED = "failed before it checked"
_DONE = frozenset({"new", "started", "updated", "kept"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of an update, and where snapshots lie."""
    group = parser.getgroup("ltc-ir", "snapshots of the IR of JAX functions")
    group.addoption("--ir-update", action="store_true", help="record new, shrunk and moved IR instead of comparing")
    group.addoption(
        "--ir-accept-growth", metavar="REASON", default=None, help="record grown IR too; the reason is kept"
    )
    group.addoption("--ir-dir", metavar="DIR", default=None, help="folder of the snapshots (default: snapshots)")


def pytest_configure(config: pytest.Config) -> None:
    """Say what the mark means, refuse what would write where nothing may, and begin to listen."""
    config.addinivalue_line(
        "markers", "ir: holds the IR of a function against its snapshot (set by the fixture check_ir)"
    )
    update, reason = config.getoption("--ir-update"), config.getoption("--ir-accept-growth")
    if reason is not None and not reason.strip():
        raise pytest.UsageError("--ir-accept-growth has no reason: say why, it is kept in the snapshot")
    if reason is not None and not update:
        raise pytest.UsageError("--ir-accept-growth says how to update: add --ir-update")
    if update:
        from ltc_ir.snapshots.project import under_ci

        if under_ci():
            why = "the CI environment variable is set: update where you work and commit"
            raise pytest.UsageError(f"refusing --ir-update because {why}")
    config.pluginmanager.register(_Listener(config), "ltc-ir-listener")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the fixture, so that ``-m ir`` selects them."""
    for item in items:
        if _uses_fixture(item):
            item.add_marker("ir")


def _uses_fixture(item: pytest.Item) -> bool:
    return FIXTURE in getattr(item, "fixturenames", ())


def _home(config: pytest.Config) -> Path:
    """The project that tests are of: where pytest's root lies, whatever the current folder is."""
    from ltc_ir.files import project_above

    return project_above(str(config.rootpath)) or config.rootpath


def _test_name(item: pytest.Item) -> str:
    """What snapshots call a test: its path below the project, whatever pytest's root is, and its name."""
    _, separator, rest = item.nodeid.partition("::")
    home = _home(item.config)
    if not separator or not item.path.is_relative_to(home):
        return item.nodeid
    return f"{item.path.relative_to(home).as_posix()}::{rest}"


def _from_here(item: pytest.Item) -> str:
    """A test as pytest is told to run it, from the folder it was started in."""
    path, separator, rest = item.nodeid.partition("::")
    file = os.path.relpath(item.config.rootpath / path, item.config.invocation_params.dir)
    return f"{Path(file).as_posix()}{separator}{rest}"


def _directory(config: pytest.Config) -> str | None:
    """The folder of ``--ir-dir``, which is meant from where pytest was started: a test may have gone elsewhere."""
    directory = config.getoption("--ir-dir")
    started = config.invocation_params.dir
    return directory if directory is None or Path.cwd() == started else str(started / directory)


class CheckIr:
    """The fixture: ``check_ir(step, (w, x), "while = 0")`` holds a function of a test against its snapshot and rules.

    ``check_ir("ltc", programs=("grad",))`` does so for a target by name. A function's snapshot bears the test's path and
    name; a test that checks several functions calls each by ``name``.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._names: set[str] = set()

    def __call__(
        self,
        fn: Any,
        args: tuple[Any, ...] | None = None,
        *rules: str,
        programs: Sequence[str] | None = None,
        name: str | None = None,
        options: Any = None,
        platform: str | None = None,
        x64: bool | None = None,
    ) -> None:
        """Hold one function, Target or target's name; the test fails where it has grown or breaks a rule.

        Args:
            fn: a function, a Target, or a target's name.
            args: the example arguments of a function, arrays or ``jax.ShapeDtypeStruct``.
            rules: rules besides those of the project.
            programs: ``forward``, ``grad`` …; of a function ``forward``, of a name all, where ``None``.
            name: what to call the function where the test checks several.
            options: what else is said about a target found by name.
            platform: what to lower for; cpu where ``None``.
            x64: enable or disable 64-bit types.
        """
        __tracebackhide__ = True
        from ltc_ir.errors import LtcIrError
        from ltc_ir.files import project_at
        from ltc_ir.records.request import Request, listed
        from ltc_ir.snapshots.in_process import SKIPPED, Update, check_in_test, error_text

        config = self._item.config
        test = self._called(fn, name)
        update = Update(config.getoption("--ir-accept-growth")) if config.getoption("--ir-update") else None
        wrong = None
        try:
            with project_at(_home(config)):
                names = tuple(listed(programs)) or None
                outcomes = check_in_test(
                    fn, args, rules, test=test, nodeid=_from_here(self._item), directory=_directory(config), update=update,
                    request=Request(names, options=options, platform=platform, x64=x64),
                )  # fmt: skip
        except LtcIrError as error:
            wrong = error_text(error)
        if wrong is not None:  # failing above would show the error a second time, as what was being handled
            pytest.fail(wrong, pytrace=False)
        self._item.stash.setdefault(KEPT, []).extend(map(_plain, outcomes))
        failures = ["\n".join(outcome.failure) for outcome in outcomes if outcome.failure]
        if failures:
            pytest.fail("\n\n".join(failures), pytrace=False)
        if outcomes and all(outcome.status == SKIPPED for outcome in outcomes):
            pytest.skip(outcomes[0].note or SKIPPED)

    def _called(self, fn: Any, name: str | None) -> str:
        own = _test_name(self._item)
        if isinstance(fn, str):
            return own
        test = own if name is None else f"{own}::{name}"
        if test in self._names:
            pytest.fail(f"two functions of this test are both called {test}: give each a name=", pytrace=False)
        self._names.add(test)
        return test


def _plain(outcome: Any) -> dict[str, Any]:
    """An outcome as plain data, its file named from anywhere."""
    return {**vars(outcome), "failure": list(outcome.failure), "file": str(Path.cwd() / outcome.file)}


@pytest.fixture
def check_ir(request: pytest.FixtureRequest) -> CheckIr:
    """Holds the IR of functions against snapshots and rules; see `CheckIr`."""
    return CheckIr(request.node)


class _Listener:
    """What one run learns of its tests: what was checked, what was not and why. The controller's writes the files.

    ``left_out`` and ``collected`` go by the names that snapshots bear; ``names`` gives those of node ids.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.checked: list[dict[str, Any]] = []
        self.left_out: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.reported: set[str] = set()
        self.failed: set[str] = set()
        self.problems: list[str] = []

    @property
    def is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember the tests that may check something."""
        self.names |= {item.nodeid: _test_name(item) for item in session.items if _uses_fixture(item)}

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember the tests that were deselected."""
        self.left_out |= {_test_name(item): "deselected" for item in items if _uses_fixture(item)}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what a test checked, or why nothing, into its report, which reaches the controller from any worker.

        Fixtures may check too, before the test and after it.
        """
        report = yield
        ends = call.when == "call" or (call.when == "setup" and not report.passed)
        if _uses_fixture(item) and (ends or call.when == "teardown"):
            outcomes = item.stash.get(KEPT, [])
            item.stash[KEPT] = []
            why = _why(report) if ends and not outcomes else None
            setattr(report, _SENT, {"name": _test_name(item), "checked": outcomes, "left_out": why})
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what was checked and write what is to be written, in the controller."""
        sent = None if self.is_worker else getattr(report, _SENT, None)
        if report.failed:
            self.failed.add(report.nodeid)
        if sent is None:
            return
        self.reported.add(sent["name"])
        if sent["left_out"] is not None:
            self.left_out[sent["name"]] = sent["left_out"]
        for outcome in sent["checked"]:
            self.left_out.pop(sent["name"], None)
            self.checked.append(outcome)
            if outcome["text"] is not None:
                self.write(outcome)

    def write(self, outcome: dict[str, Any]) -> None:
        """Write one file, whole or not at all; what cannot be written is said in the footer and fails the run."""
        from ltc_ir.errors import LtcIrError
        from ltc_ir.records.snapshot_toml import loads

        try:
            self.store.write(loads(outcome["text"], outcome["file"]))
        except LtcIrError as error:
            self.problems.append(error.in_words)

    @cached_property
    def store(self) -> Any:
        """The store of this run."""
        from ltc_ir.files import project_at
        from ltc_ir.snapshots.project import guard_of
        from ltc_ir.snapshots.store import Store

        with project_at(_home(self.config)):
            return Store(Path.cwd() / guard_of(_directory(self.config)).store.directory)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand what a worker left out to the controller; fail a run that could not write."""
        if self.is_worker:
            self.config.workeroutput[_SENT] = {"left_out": self.left_out, "names": self.names}  # type: ignore[attr-defined]
        elif self.problems and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist left out: each collects all tests, so it is the same of all."""
        sent = getattr(node, "workeroutput", {}).get(_SENT, {})
        self.left_out |= sent.get("left_out", {})
        self.names |= sent.get("names", {})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The footer: how many programs were checked, how many not, and why; nothing in a run that has none to check."""
        for nodeid, name in self.names.items():
            if name not in self.reported:
                self.left_out[name] = _FAILED if nodeid in self.failed else "not run"
        if not (self.checked or self.left_out):
            return
        terminalreporter.write_line(self.footer())
        for problem in dict.fromkeys(self.problems):
            terminalreporter.write_line(f"ltc-ir: {problem}", red=True)

    def footer(self) -> str:
        """``ltc-ir: 12 checked (11 match, 1 grown); 3 not checked (2 deselected, 1 skipped)``."""
        skipped = [outcome for outcome in self.checked if outcome["status"] == "skipped"]
        counted = Counter(outcome["status"] for outcome in self.checked if outcome["status"] != "skipped")
        done = sum(counted.values())
        acts = {word.partition(" ")[0] for word in counted}
        verb = "recorded" if acts and acts <= {*_DONE, "refused", "error"} else "checked"
        line = f"ltc-ir: {done} {verb}" + (f" ({_listed(_in_words(counted))})" if counted else "")
        reasons = Counter(self.left_out.values()) + Counter(outcome["note"] or "skipped" for outcome in skipped)
        rest = len(self.untouched())
        if rest:
            reasons["snapshots whose tests were not run" if rest > 1 else "snapshot whose test was not run"] = rest
        return line + (f"; {sum(reasons.values())} not checked ({_listed(reasons)})" if reasons else "")

    def untouched(self) -> list[Path]:
        """The snapshots of tests, for this JAX, of whose tests this run says nothing."""
        if not self.checked:
            return []
        from importlib.metadata import version

        from ltc_ir.errors import LtcIrError
        from ltc_ir.snapshots.naming import folder_of, jax_minor, parse

        try:
            paths = self.store.of_tests()
        except LtcIrError as error:
            self.problems.append(error.in_words)
            return []
        minor = jax_minor(version("jax"))
        checked_paths = {Path(outcome["file"]) for outcome in self.checked}
        folders = {path.parent for path in checked_paths}
        left_out = {self.store.directory / folder_of(test) for test in self.left_out}
        return [
            path
            for path in paths
            if path.parent not in folders
            and not any(folder in left_out for folder in path.parents)
            and (file := parse(path.name)) is not None
            and file.jax == minor
        ]


def _why(report: pytest.TestReport) -> str:
    if report.skipped:
        return "skipped"
    return _FAILED if report.failed else "checked nothing"


def _in_words(counted: Counter[str]) -> Counter[str]:
    from ltc_ir.render.words.check import counted_as

    return Counter({counted_as(word, number): number for word, number in counted.items()})


def _listed(counted: Counter[str]) -> str:
    largest_first = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {word}" for word, number in largest_first)
