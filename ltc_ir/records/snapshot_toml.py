"""How a snapshot stands in its file, made for review and merging: sorted TOML, one fact a line, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ltc_ir.errors import UsageError
from ltc_ir.records.snapshot import (
    IN_PROCESS,
    SCHEMA,
    TWICE,
    Acceptance,
    Block,
    HloFacts,
    Identity,
    LevelFacts,
    Provenance,
    Snapshot,
)
from ltc_ir.records.snapshot_migration import RESTORE, migrated
from ltc_ir.records.strict_toml import MOST, File, Table, decoded, encoded, parsed
from ltc_ir.records.vocabulary import Level, Phase

HEAD = """# ltc-ir snapshot: what the IR of one program holds, each operation once per call path.
# Written by `ltc-ir snapshot update`; after a merge conflict take either side and run it again.
"""

LEVELS = (Level.JAXPR.value, Level.STABLEHLO.value)
"""The levels that are held, in the order they are written."""

_PHASES = tuple(phase.value for phase in Phase)
_MINOR = re.compile(r"\d+\.\d+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def dumps(snapshot: Snapshot) -> str:
    """A snapshot as its file holds it; equal snapshots give equal text. Counts of 0 are left out.

    The last line closes the file: one cut short anywhere is seen to be so, and no two branches change that line.
    """
    blocks = [
        HEAD + _lines({"schema": SCHEMA, "kind": "snapshot", "target": snapshot.target, "program": snapshot.program})
        + _lines({"captured": snapshot.captured}),
        *_identity(snapshot.identity),
        _table(["provenance"], vars(snapshot.provenance)),
        *(f"[[accepted]]\n{_lines({'reason': one.reason, 'growth': one.growth})}" for one in snapshot.accepted),
    ]  # fmt: skip
    for level in LEVELS:
        if level in snapshot.levels:
            blocks += _facts(level, snapshot.levels[level], {})
    if snapshot.hlo is not None:
        made = {"jaxlib": snapshot.hlo.jaxlib, "device": snapshot.hlo.device}
        blocks += _facts(Level.HLO.value, snapshot.hlo.facts, made)
    blocks.append(_table(["end"], {"whole": True}))
    return "\n".join(blocks)


def _identity(identity: Identity) -> Iterator[str]:
    fields = {key: value for key, value in vars(identity).items() if key != "config"}
    yield _table(["identity"], fields)
    if identity.config:
        yield _table(["identity", "config"], _sorted(identity.config))


def _facts(level: str, facts: LevelFacts, made: Mapping[str, object]) -> Iterator[str]:
    """A level: first the figures of the whole, which any change alters, then a block for each function."""
    head = {**made, "fingerprint": facts.fingerprint, "unstable": tuple(sorted(facts.unstable)) or None}
    yield _table([level], {key: value for key, value in head.items() if value is not None})
    if facts.metrics:
        yield _table([level, "metrics"], _sorted(facts.metrics))
    for phase in _PHASES:
        if counts := _sorted(facts.types.get(phase, {}), least=1):
            yield _table([level, "types", phase], counts)
    for phase, function in sorted(facts.ops, key=lambda block: (_PHASES.index(block[0]), block[1])):
        if counts := _sorted(facts.ops[phase, function], least=1):
            yield _table([level, "ops", phase, function], counts)


def _sorted(values: Mapping[str, object], least: int = 0) -> dict[str, object]:
    """Values by name, without the numbers below ``least``."""
    return {name: value for name, value in sorted(values.items()) if not isinstance(value, int) or value >= least}


def _table(path: Iterable[str], values: Mapping[str, object]) -> str:
    return f"[{'.'.join(map(_key, path))}]\n{_lines(values)}"


def _lines(values: Mapping[str, object]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= MOST:
            raise UsageError(
                "a count has more than 100 digits", "count less of the program: it nests hundreds of calls"
            )
        return str(value)
    if isinstance(value, tuple):
        return f"[\n{''.join(f'  {_quoted(item)},{chr(10)}' for item in value)}]" if value else "[]"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """Text in quotes; whatever cannot be seen in a review (controls, line separators, direction marks) as an escape."""
    return f'"{"".join(map(_character, encoded(text)))}"'


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isascii() or char.isprintable():
        return char if char.isprintable() else f"\\u{ord(char):04X}"
    return f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"


def loads(text: str, where: str) -> Snapshot:
    """The snapshot that a file's text holds.

    Raises:
        UsageError: it is cut short, in conflict, of a newer schema, or holds what no snapshot holds; the message begins
            with ``where``, and the line where that can be told.
    """
    data = parsed(text, where)
    if "schema" not in data and not text.startswith(HEAD[:10]):
        raise UsageError(f"{where}: no snapshot: it has no schema", RESTORE)
    newest = migrated(data, where) if "schema" in data else data
    if newest.get("kind", "snapshot") == "snapshot" and newest.get("end") != {"whole": True}:
        raise UsageError(f"{where}: the file is cut short: its last line is missing", RESTORE)
    table = Table(newest, File(text, where))
    table.word("kind", ("snapshot",))
    table.take("schema", int)
    table.take("end", dict)
    return _snapshot(table)


def loads_bytes(data: bytes, where: str) -> Snapshot:
    """The snapshot that a file's bytes hold; as `loads`.

    Raises:
        UsageError: it is no UTF-8, or `loads` refuses it.
    """
    try:
        return loads(data.decode(), where)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{where}:{line}: no UTF-8", RESTORE) from error


def _snapshot(table: Table) -> Snapshot:
    made = Snapshot(
        target=table.take("target", str),
        program=table.take("program", str),
        captured=table.word("captured", (TWICE, IN_PROCESS)),
        identity=_read_identity(table.table("identity")),
        provenance=_read_provenance(table.table("provenance")),
        accepted=tuple(map(_read_acceptance, table.tables("accepted"))),
        levels={level: _closed_facts(table.table(level), _METRICS[level]) for level in LEVELS},
        hlo=_read_hlo(table.table("hlo")) if "hlo" in table.left() else None,
    )
    table.close()
    return made


def _read_identity(table: Table) -> Identity:
    jax = table.take("jax", str)
    if not _MINOR.fullmatch(jax):
        table.fail(f"jax is {jax!r}, not a minor version such as 0.10", "jax")
    made = Identity(
        jax=jax,
        platform=table.take("platform", str),
        devices=table.number("devices", 1),
        x64=table.take("x64", bool),
        config=table.strings("config"),
        declaration=table.take("declaration", str),
        arguments=table.take("arguments", str),
    )
    table.close()
    return made


def _read_provenance(table: Table) -> Provenance:
    made = Provenance(table.take("jax", str), table.take("jaxlib", str))
    table.close()
    return made


def _read_acceptance(table: Table) -> Acceptance:
    made = Acceptance(table.take("reason", str), table.texts("growth"))
    table.close()
    return made


def _read_hlo(table: Table) -> HloFacts:
    jaxlib, device = table.take("jaxlib", str), table.take("device", str)
    return HloFacts(jaxlib, device, _closed_facts(table, None))


_METRICS: Mapping[str, tuple[str, ...]] = {"jaxpr": (), "stablehlo": ("lines", "constants.embedded.bytes")}
"""The figures that a level always has; a file that lost one would let it grow unseen."""


def _closed_facts(table: Table, needed: tuple[str, ...] | None) -> LevelFacts:
    """The facts of a level, refused where one is missing that no capture leaves out, unless two captures disagreed on it."""
    unstable = table.texts("unstable")
    fingerprint = table.take("fingerprint", str) if "fingerprint" in table.left() else None
    made = LevelFacts(
        ops=_read_ops(table.each("ops", _PHASES)),
        types=_read_types(table.each("types", _PHASES)),
        metrics=table.numbers("metrics"),
        fingerprint=fingerprint,
        unstable=unstable,
    )
    for name in needed or ():
        if name not in made.metrics and f"metric|{name}" not in unstable:
            table.fail(f"the metric {name} is missing", "metrics")
    if needed is not None and fingerprint is None and "fingerprint" not in unstable:
        table.fail("the fingerprint is missing", "fingerprint")
    table.close()
    return made


def _read_ops(phases: Mapping[str, Table]) -> dict[Block, dict[str, int]]:
    found: dict[Block, dict[str, int]] = {}
    for phase, table in phases.items():
        for function in table.left():
            found[phase, decoded(function)] = table.numbers(function, 1)
    return found


def _read_types(phases: Mapping[str, Table]) -> dict[str, dict[str, int]]:
    return {phase: table.all_numbers(1) for phase, table in phases.items()}
