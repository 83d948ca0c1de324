"""What programs are held against: the store, the rules and waivers of the project, and how to capture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ltc_ir import config
from ltc_ir.errors import UsageError
from ltc_ir.escape import quote
from ltc_ir.files import current_folder, may_be_folder, project_root
from ltc_ir.records.request import Request, listed
from ltc_ir.records.vocabulary import meant
from ltc_ir.rules.grammar import Rule, parse_rule
from ltc_ir.rules.growth_policy import Waiver, parse_waiver
from ltc_ir.rules.names import levels_of, needs_detail
from ltc_ir.snapshots.capture import capture_request
from ltc_ir.snapshots.store import Store
from ltc_ir.targets.builtin import BUILTIN

NOTHING_ASKED = Request()
GIVEN = "--rule"
"""Where a rule stands that was given for one run alone."""


@dataclass(frozen=True)
class Guard:
    """What programs are held against: the store, the rules and waivers of the project, and how to capture."""

    store: Store
    rules: tuple[Rule, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    request: Request = field(default_factory=capture_request)
    flags: tuple[str, ...] = ()
    directory: str | None = None

    def accept(self, target: str, program: str, grown: bool, *, built: bool = False) -> str:
        """What records a program as it is now: a command, or a call for a Target that only the caller's code has."""
        if built:
            arguments = [f"programs=[{program!r}]"] + (
                [] if self.directory is None else [f"directory={self.directory!r}"]
            )
            return f"ltc_ir.api.snapshot.update([target], {', '.join(arguments)}" + (
                ', accept_growth="why")' if grown else ")"
            )
        reason = ['--accept-growth "why"'] if grown else []
        words = ["--program", quote(program), *self.flags, *reason]
        named = [*words, "--", quote(target)] if target.startswith("-") else [quote(target), *words]
        return " ".join(["ltc-ir snapshot update", *named])


def guard_of(
    directory: str | None = None,
    rules: Sequence[str] = (),
    *,
    hlo: bool = False,
    request: Request = NOTHING_ASKED,
) -> Guard:
    """The guard of this project, with what a caller adds to it.

    Raises:
        UsageError: a rule or a waiver that cannot be read, or a broken pyproject.toml.
    """
    settings = config.guard()
    parsed = [parse_rule(rule.text, where=rule.where, targets=rule.targets) for rule in settings.rules]
    parsed += [parse_rule(text, where=GIVEN) for text in listed(rules)]
    captured = capture_request(
        request.platform, hlo=hlo or "hlo" in levels_of(parsed), details=needs_detail(parsed),
        programs=request.programs, options=request.options, x64=request.x64,
    )  # fmt: skip
    folder = Path(directory) if directory is not None else _below_project(settings.directory)
    if not may_be_folder(folder):
        raise UsageError(f"{folder.as_posix()} is no folder, so it holds no snapshots", "name a folder with --dir")
    waivers = tuple(parse_waiver(entry) for entry in settings.waivers)
    flags, store = tuple(_flags(directory, request, hlo)), Store(folder)
    own = set(config.targets())
    for rule in parsed:
        if not own.issuperset(rule.targets):
            _check_targets(f"{rule.where}: rule {rule.text!r}", rule.targets, settings.targets, store)
    for waiver in waivers:
        _check_targets(f"{waiver.where}: the waiver for {waiver.op}", waiver.targets, settings.targets, store)
    return Guard(store, tuple(parsed), waivers, captured, flags, directory)


def _check_targets(what: str, names: Sequence[str], guarded: Sequence[str], store: Store) -> None:
    """Refuse a name that nothing here is called: what speaks of it would never be judged, nor missed.

    A path or a module with a function in it may be any; a name must be the project's, built in, or have snapshots.
    """
    for name in names:
        known = {*config.targets(), *guarded, *BUILTIN}
        if name not in known and ":" not in name and name.partition("@")[0] not in BUILTIN and not store.files_of(name):
            hint = f"{meant(name, known)}targets are {', '.join(sorted(known))}"
            raise UsageError(f"{what} speaks of the target {name!r}, which nothing here is called", hint)


def _below_project(directory: str) -> Path:
    """A folder of the project, called as it is seen from the current one."""
    folder = project_root() / directory
    try:
        return folder.relative_to(current_folder())
    except ValueError:
        return folder


def _flags(directory: str | None, request: Request, hlo: bool) -> Iterator[str]:
    for name, value in (("--dir", directory), ("--platform", request.platform)):
        if value is not None:
            yield f"{name} {quote(value)}"
    if request.x64 is not None:
        yield "--x64" if request.x64 else "--no-x64"
    if hlo:
        yield "--hlo"
    for name, value in () if request.options is None else vars(request.options).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif value is not None and value is not False:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield f"{option} {quote(text)}"


def under_ci() -> bool:
    """Whether this is a machine of continuous integration, as they all say of themselves."""
    return os.environ.get("CI", "").strip().lower() not in {"", "0", "false", "no"}
