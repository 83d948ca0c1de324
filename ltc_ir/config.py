"""The `[tool.ltc-ir]` table of a project's pyproject.toml; the only module that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root, read_bytes
from ltc_ir.records.shape import Check
from ltc_ir.records.vocabulary import meant

_Word = Annotated[str, Check("a text of at least one character", lambda value: isinstance(value, str) and value)]

Read = TypeVar("Read")


def _path() -> Path:
    return project_root() / "pyproject.toml"


def _while_unchanged(read: Callable[[], Read]) -> Callable[[], Read]:
    """What a function reads from the file, kept until that is another one: a run asks for it with every target."""
    kept: dict[object, Read] = {}

    @wraps(read)
    def cached() -> Read:
        stamp = _stamp()
        if stamp not in kept:
            value = read()
            kept.clear()
            kept[stamp] = value
        return kept[stamp]

    return cached


def _stamp() -> object:
    """What tells one version of the file from another."""
    path = _path()
    try:
        found = path.stat()
    except OSError:
        return str(path), None
    return str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@_while_unchanged
def table() -> Mapping[str, Any]:
    """The project's ``[tool.ltc-ir]`` table; empty where there is none.

    Raises:
        UsageError: the file cannot be read, is no TOML, or the table is no table. LimitError: it is too large.
    """
    from ltc_ir.records.strict import toml

    if not os.path.lexists(_path()):
        return {}
    data = toml.parsed(_text(), _FILE, _MEND)
    found = data.get("tool", {})
    found = found.get("ltc-ir", {}) if isinstance(found, Mapping) else found
    if not isinstance(found, Mapping):
        raise UsageError(f"{_FILE}: tool.ltc-ir is no table", "write [tool.ltc-ir.targets]")
    for key in found:
        if key not in _TABLES:
            hint = f"{meant(key, _TABLES)}tables are {', '.join(f'[tool.ltc-ir.{name}]' for name in _TABLES)}"
            raise UsageError(f"{_FILE}: tool.ltc-ir has an unknown key {key!r}", hint)
    return toml.checked(dict(found), f"{_FILE}: tool.ltc-ir", _MEND, digits=True)


_FILE = "pyproject.toml"
_TABLES = ("targets", "snapshots")
_MEND = "mend it, or run from another folder"


def _text() -> str:
    from ltc_ir.records.strict import toml

    try:
        data = read_bytes(str(_path()), toml.MOST_BYTES)
    except UsageError as error:
        raise UsageError(error.message, _MEND) from error
    return toml.text_of(data, _FILE, _MEND)


@_while_unchanged
def targets() -> Mapping[str, Mapping[str, Any]]:
    """The project's own targets: a name, and the options of the Target it stands for.

    Each is a string ``"module:name"`` or a table ``{target = "module:name", args = "f32[8]", loss = "sum", argnums = [0]}``.

    Raises:
        UsageError: an entry is neither, or has an unknown key or a value of another type than that key takes.
    """
    entries = table().get("targets", {})
    if not isinstance(entries, Mapping):
        raise UsageError("pyproject.toml: tool.ltc-ir.targets is no table", 'write name = "module:function" under it')
    return {name: _target(name, entry) for name, entry in entries.items()}


def _target(name: str, entry: Any) -> Mapping[str, Any]:
    options = {"target": entry} if isinstance(entry, str) else entry
    if not isinstance(options, Mapping) or not isinstance(options.get("target"), str):
        raise UsageError(f"pyproject.toml: target {name!r} names no function", f'write {name} = "module:function"')
    for key, value in options.items():
        if key not in TARGET_KEYS:
            raise UsageError(
                f"pyproject.toml: target {name!r} has an unknown key {key!r}", f"keys are {', '.join(TARGET_KEYS)}"
            )
        wanted, example = TARGET_KEYS[key]
        items = value if isinstance(value, list) and example.startswith("[") else [value]
        if not all(type(item) is wanted and not _is_huge(item) for item in items):
            raise UsageError(f"pyproject.toml: target {name!r} has {key} = {_shown(value)}", f"write {key} = {example}")
    return options


def _is_huge(value: Any) -> bool:
    """Whether a number is too large for the position of an argument."""
    return isinstance(value, int) and abs(value) > _MOST_ARGUMENTS


def _shown(value: Any) -> str:
    """A value as a message shows it; a list by its items."""
    from ltc_ir.records.strict.toml import shown

    return f"[{', '.join(map(shown, value[:5]))}]" if isinstance(value, list) else shown(value)


_MOST_ARGUMENTS = 10**6

TARGET_KEYS: Mapping[str, tuple[type, str]] = {
    "target": (str, '"module:function"'),
    "args": (str, '"f32[8] i32[]"'),
    "loss": (str, '"sum"'),
    "argnums": (int, "[0]"),
    "has_aux": (bool, "true"),
    "static_argnums": (int, "[0]"),
    "static_argnames": (str, '["name"]'),
    "platform": (str, '"tpu"'),
    "rules": (str, '["total +20"]'),
}
"""What a target's table in pyproject.toml may say: the type of a value (of each item where a list is), and an example."""


@dataclass(frozen=True)
class WrittenRule:
    """A rule as a project wrote it: its text, the targets it speaks of (all where there are none), and where it stands."""

    text: str
    targets: tuple[str, ...] = ()
    where: str = "pyproject.toml"


@dataclass(frozen=True)
class GuardConfig:
    """What a project says of its snapshots: their folder, the targets that are guarded, the rules, and the raw waivers."""

    directory: str = "snapshots"
    targets: tuple[str, ...] = ()
    rules: tuple[WrittenRule, ...] = ()
    waivers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class _Rule:
    """A rule with the targets it applies to: ``{rule = "...", targets = ["name"]}``."""

    rule: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Snapshots:
    """``[tool.ltc-ir.snapshots]``."""

    dir: _Word = GuardConfig.directory
    targets: tuple[_Word, ...] = ()
    rules: tuple[str | _Rule, ...] = ()
    waivers: tuple[Mapping[str, Any], ...] = ()


def guard() -> GuardConfig:
    """The project's ``[tool.ltc-ir.snapshots]``, and the rules that stand with its targets.

    Raises:
        UsageError: an unknown key, or a value of another type than that key takes.
    """
    settings = _snapshots(table().get("snapshots", {}))
    for place, written in enumerate(table().get("snapshots", {}).get("rules", ())):
        if isinstance(written, Mapping) and written.get("targets") == []:
            what = f"{_FILE}: rule {place + 1} of tool.ltc-ir.snapshots has targets = [], so it speaks of none"
            raise UsageError(what, 'name them, as in targets = ["ltc"], or leave the key out')
    rules = [
        WrittenRule(rule) if isinstance(rule, str) else WrittenRule(rule.rule, rule.targets) for rule in settings.rules
    ]
    for name, options in targets().items():
        own = options.get("rules", [])
        rules += [WrittenRule(text, (name,)) for text in (own if isinstance(own, list) else [own])]
    return GuardConfig(settings.dir, settings.targets, tuple(rules), settings.waivers)


def _snapshots(data: Any) -> _Snapshots:
    from ltc_ir.records.serialization import convert
    from ltc_ir.records.strict import toml
    from ltc_ir.records.strict.json import DamageError

    path = ("tool", "ltc-ir", "snapshots")
    try:
        return convert(data, _Snapshots, path)
    except DamageError as error:
        key = error.path[3] if len(error.path) > 3 else None
        hint = f"write {key} = {_GUARD_KEYS[str(key)]}" if key else f"keys are {', '.join(_GUARD_KEYS)}"
        file = toml.File(_text(), _FILE)
        raise toml.refusal(error, data, file, hint, path) from error


_GUARD_KEYS: Mapping[str, str] = {
    "dir": '"snapshots"',
    "targets": '["ltc"]',
    "rules": '["total +20", {rule = "while = 0", targets = ["ltc"]}]',
    "waivers": '[{op = "dot_general", reason = "why", until = 2027-01-31}]',
}
"""What `[tool.ltc-ir.snapshots]` may say, with an example of each."""
