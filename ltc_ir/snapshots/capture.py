"""Captures live programs: the tables that rules are judged on, and the snapshot that would be kept of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ltc_ir.errors import LimitError, LtcIrError, error_of
from ltc_ir.records.op_table import ProgramTables, of_plain, to_plain
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import pack, unpack
from ltc_ir.records.signature import Signature
from ltc_ir.records.snapshot import IN_PROCESS, TWICE, Identity, Provenance, Snapshot
from ltc_ir.records.vocabulary import Level
from ltc_ir.snapshots.naming import jax_minor
from ltc_ir.snapshots.store import Store
from ltc_ir.workers.limits import DeadlineError, Limits, WorkerDiedError
from ltc_ir.workers.pool import Pool

CHILD_LIMIT = 900.0
"""Seconds the second capture may take, in its own process."""


def capture_request(
    platform: str | None = None, *, hlo: bool = False, details: bool = False, default_platform: str = "cpu", **more: Any
) -> Request:
    """What a capture reads: jaxpr and stablehlo, with ``hlo`` optimised HLO too; ``more`` are fields of the Request.

    Snapshots are lowered for the CPU unless the caller or the target names a platform, so that they hold on any machine.
    """
    levels = tuple(level for level in Level if level is not Level.HLO or hlo)
    return Request(
        levels=levels, details=details, facts=True, platform=platform, default_platform=default_platform, **more
    )


def capture_request_here(platform: str | None, *, hlo: bool = False, details: bool = False) -> Request:
    """The same for this machine's platform, unless the caller or the target names one."""
    from ltc_ir.targets.stages import platform_here

    return capture_request(platform, hlo=hlo, details=details, default_platform=platform_here())


@dataclass(frozen=True)
class Captured:
    """One program as it is now: its tables with live sources, what it is comparable with, and what it was captured by.

    ``device`` is the kind of device that optimised HLO was compiled for, ``None`` where it was not.
    """

    tables: ProgramTables
    identity: Identity
    provenance: Provenance
    device: str | None = None

    @cached_property
    def snapshot(self) -> Snapshot:
        """The facts that a file would keep."""
        from ltc_ir.compare.facts import snapshot_of

        return snapshot_of(self.tables, self.identity, self.provenance, IN_PROCESS, device=self.device)

    def to_plain(self) -> dict[str, Any]:
        """It as JSON data for another process."""
        parts = {"identity": self.identity, "provenance": self.provenance, "signature": self.tables.signature}
        packed = {name: None if part is None else pack(part) for name, part in parts.items()}
        return {"tables": to_plain(self.tables), **packed, "device": self.device}

    @staticmethod
    def of_plain(data: Mapping[str, Any], target: str, program: str) -> Captured:
        """What `to_plain` gave, after its way through JSON; it is of this program, whatever the data say."""
        where = f"the capture of {target} {program}"
        signature = data["signature"] and unpack(data["signature"], Signature, where)
        return Captured(
            replace(of_plain(data["tables"]), target=target, program=program, signature=signature),
            unpack(data["identity"], Identity, where),
            unpack(data["provenance"], Provenance, where),
            data["device"],
        )


def capture(target: Any, program: str, request: Request, *, clear: bool = True) -> Captured:
    """Trace and lower one program of a Target, and read it.

    From cleared caches it is a second look, or one to be recorded, so that its structure is read too.

    Raises:
        UsageError: the target has no such program. TargetError: the user's function failed.
    """
    from ltc_ir.tables.live import tables_of
    from ltc_ir.targets import prepare

    staged = prepare.stage(target, program, request.platform_for(target.platform), clear=clear)
    names = (target.name or "target", program)
    request = replace(request, structure=clear)
    tables = tables_of(staged, request, prepare.ownership_of(target), names)
    tables = replace(tables, signature=_declared(target, program, tables.signature))
    identity, provenance = _identity(target, program, staged, tables.devices)
    device = _device_kind() if Level.HLO in request.read_levels else None
    return Captured(tables, identity, provenance, device)


def _declared(target: Any, program: str, signature: Signature | None) -> Signature | None:
    """The signature with what the target declares besides arguments."""
    from ltc_ir.targets.signature_hash import options

    return None if signature is None else replace(signature, options=options(target, program))


def _device_kind() -> str:
    import jax

    return str(jax.devices()[0].device_kind)


def _identity(target: Any, program: str, staged: Any, devices: int) -> tuple[Identity, Provenance]:
    from ltc_ir import compat
    from ltc_ir.targets.signature_hash import declaration
    from ltc_ir.targets.stages import environment

    here = environment(staged.platform)
    declared, arguments = declaration(target, program, staged.program)
    identity = Identity(
        jax=jax_minor(str(here.jax)),
        platform=staged.platform,
        devices=devices,
        x64=bool(here.x64),
        config=compat.tracing_options(),
        declaration=declared,
        arguments=arguments,
    )
    return identity, Provenance(str(here.jax), str(here.jaxlib))


def capture_again(
    wanted: Mapping[str, Sequence[str]], store: Store, request: Request
) -> dict[tuple[str, str], Snapshot | LtcIrError]:
    """Capture programs of targets by name in a process of its own, with another hash seed and in the opposite order.

    Args:
        wanted: the programs of each target's name.
        store: where their snapshots lie; a file's name is relative to its project.
        request: how to capture.
    """
    from ltc_ir.records.snapshot_toml import loads

    message = {
        "wanted": {name: list(programs) for name, programs in wanted.items()},
        "places": {name: store.findable(name) for name in wanted},
        "request": pack(request),
    }
    made: dict[tuple[str, str], Snapshot | LtcIrError] = {}
    for target, program, text, failure in _in_worker(message):
        made[target, program] = (
            error_of(**failure) if text is None else _twice(loads(text, f"the second capture of {target}"))
        )
    return made


def _twice(made: Snapshot) -> Snapshot:
    return replace(made, captured=TWICE)


def other_hash_seed() -> dict[str, str]:
    """The variable that gives Python's hashes in another process another seed than here."""
    seed = os.environ.get("PYTHONHASHSEED", "")
    return {"PYTHONHASHSEED": str(((int(seed) if seed.isdigit() else 0) + 4711) % 4294967295)}


def _in_worker(message: Mapping[str, Any]) -> list[Any]:
    """The answer of `capture_programs` in a process with another hash seed.

    Raises:
        LimitError: it took too long, or the process did not survive.
    """
    try:
        with Pool(limits=Limits(CHILD_LIMIT), environment=other_hash_seed(), quiet=True) as pool:
            return list(pool.submit(f"{__name__}:capture_programs", message).result())
    except DeadlineError:
        raise LimitError(f"the second capture took longer than {CHILD_LIMIT:g} s", "select fewer targets") from None
    except WorkerDiedError as error:
        last = (error.last_words.strip().splitlines() or ["it said nothing"])[-1]
        raise LimitError(
            f"the second capture ended with exit {error.code}: {last}", "try the target by itself"
        ) from None


def capture_programs(message: Mapping[str, Any]) -> list[tuple[str, str, str | None, dict[str, Any] | None]]:
    """The job: the text of each program's snapshot, or what failed; programs are captured in the opposite order."""
    from ltc_ir.records.snapshot_toml import dumps
    from ltc_ir.targets import prepare

    request = unpack(message["request"], Request, "the request of a second capture")
    made: list[tuple[str, str, str | None, dict[str, Any] | None]] = []
    with prepare.configured(request.x64):
        for name, programs in reversed(message["wanted"].items()):
            for program in reversed(programs):
                try:
                    target = replace(prepare.resolve(message["places"][name], None, request.options), name=name)
                    made.append((name, program, dumps(capture(target, program, request).snapshot), None))
                except LtcIrError as error:
                    failure = {"code": error.exit_code, "message": error.message, "hint": error.hint}
                    made.append((name, program, None, failure))
    return made
