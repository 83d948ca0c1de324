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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}", "mend it, or run from another folder") from error
    found = data.get("tool", {}).get("ltc-ir", {})
    if not isinstance(found, Mapping):
        raise UsageError(f"{path.name}: tool.ltc-ir is no table", "write [tool.ltc-ir.targets]")
    return found


def targets() -> dict[str, Mapping[str, Any]]:
    """The project's own targets: a name, and the options of the Target it stands for.

    Each is a string ``"module:name"`` or a table ``{target = "module:name", args = "f32[8]", loss = "sum", argnums = [0]}``.

    Raises:
        UsageError: an entry is neither, or has an unknown key.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name, entry in table().get("targets", {}).items():
        options = {"target": entry} if isinstance(entry, str) else entry
        if not isinstance(options, Mapping) or not isinstance(options.get("target"), str):
            raise UsageError(f"pyproject.toml: target {name!r} names no function", f'write {name} = "module:function"')
        unknown = sorted(set(options) - TARGET_KEYS)
        if unknown:
            raise UsageError(
                f"pyproject.toml: target {name!r} has an unknown key {unknown[0]!r}",
                f"keys are {', '.join(sorted(TARGET_KEYS))}",
            )
        found[name] = options
    return found


TARGET_KEYS = frozenset({"target", "args", "loss", "argnums", "has_aux", "static_argnums", "static_argnames"})
"""What a target's table in pyproject.toml may say."""

