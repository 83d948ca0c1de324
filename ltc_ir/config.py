"""The `[tool.ltc-ir]` table of a project's pyproject.toml; the only module that reads it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root


def table() -> Mapping[str, Any]:
    """The project's ``[tool.ltc-ir]`` table; empty where there is none.

    Raises:
        UsageError: the file is no TOML, or the table is no table.
    """
    path = project_root() / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}", "mend it, or run from another folder") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
}
"""What a target's table in pyproject.toml may say: the type of a value (of each item where a list is), and an example."""
