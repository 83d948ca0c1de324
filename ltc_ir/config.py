"""The `[tool.ltc-ir]` table of a project's pyproject.toml; the only module that reads it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root
from ltc_ir.records.shape import Check

_Text = Annotated[str, Check("a text of at least one character", lambda value: isinstance(value, str) and value)]


def _path() -> Path:
    return project_root() / "pyproject.toml"


def table() -> Mapping[str, Any]:
    """The project's ``[tool.ltc-ir]`` table; empty where there is none.

    Raises:
        UsageError: the file is no TOML, or the table is no table.
    """
    path = _path()
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}", "mend it, or run from another folder") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}", "mend it, or run from another folder") from error
    found = data.get("tool", {})
    found = found.get("ltc-ir", {}) if isinstance(found, Mapping) else found
    if not isinstance(found, Mapping):
        raise UsageError(f"{path.name}: tool.ltc-ir is no table", "write [tool.ltc-ir.targets]")
    return found


def targets() -> dict[str, Mapping[str, Any]]:
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
        if not all(type(item) is wanted for item in items):
            raise UsageError(f"pyproject.toml: target {name!r} has {key} = {value!r}", f"write {key} = {example}")
    return options


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

    dir: _Text = GuardConfig.directory
    targets: tuple[_Text, ...] = ()
    rules: tuple[str | _Rule, ...] = ()
    waivers: tuple[Mapping[str, Any], ...] = ()


def guard() -> GuardConfig:
    """The project's ``[tool.ltc-ir.snapshots]``, and the rules that stand with its targets.

    Raises:
        UsageError: an unknown key, or a value of another type than that key takes.
    """
    settings = _snapshots(table().get("snapshots", {}))
    rules = [
        WrittenRule(rule) if isinstance(rule, str) else WrittenRule(rule.rule, rule.targets) for rule in settings.rules
    ]
    for name, options in targets().items():
        own = options.get("rules", [])
        rules += [WrittenRule(text, (name,)) for text in (own if isinstance(own, list) else [own])]
    return GuardConfig(settings.dir, settings.targets, tuple(rules), settings.waivers)


def _snapshots(data: Any) -> _Snapshots:
    from ltc_ir.records import strict_toml
    from ltc_ir.records.serialization import DamageError, convert

    path = ("tool", "ltc-ir", "snapshots")
    try:
        return convert(data, _Snapshots, path)
    except DamageError as error:
        key = error.path[3] if len(error.path) > 3 else None
        hint = f"write {key} = {_GUARD_KEYS[str(key)]}" if key else f"keys are {', '.join(_GUARD_KEYS)}"
        file = strict_toml.File(_path().read_text(encoding="utf-8"), "pyproject.toml")
        raise strict_toml.refusal(error, data, file, hint, path) from error


_GUARD_KEYS: Mapping[str, str] = {
    "dir": '"snapshots"',
    "targets": '["ltc"]',
    "rules": '["total +20", {rule = "while = 0", targets = ["ltc"]}]',
    "waivers": '[{op = "dot_general", reason = "why", until = 2027-01-31}]',
}
"""What `[tool.ltc-ir.snapshots]` may say, with an example of each."""
