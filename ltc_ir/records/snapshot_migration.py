"""Brings the data of an older snapshot to the schema of today, one step at a time; a newer one is refused with words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.snapshot import IN_PROCESS, SCHEMA

Data = dict[str, Any]


def _from_0(data: Data) -> Data:
    """Schema 0, used before the first release, did not say how a snapshot was captured: once, in the process at hand."""
    return {**data, "captured": IN_PROCESS}


STEPS: Mapping[int, Callable[[Data], Data]] = {0: _from_0}
"""For each older schema, what makes its data that of the next one."""


def migrated(data: Data, where: str) -> Data:
    """Data in the schema of today.

    Raises:
        UsageError: a newer ltc-ir wrote it, or the schema is none there ever was.
    """
    schema = data.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise UsageError(
            f"{where}: written by a newer ltc-ir: schema {schema}, and this one reads up to {SCHEMA}", "upgrade ltc-ir"
        )
    if type(schema) is not int or (schema != SCHEMA and schema not in STEPS):
        raise UsageError(f"{where}: schema is {schema!r}, which no snapshot has", RESTORE)
    while schema < SCHEMA:
        data = STEPS[schema](data)
        schema += 1
    return {**data, "schema": SCHEMA}


RESTORE = "restore the file from version control, or delete it and run `ltc-ir snapshot update`"
"""What helps where a snapshot cannot be read."""
