"""Holds the reader of MLIR locations to locations written by hand: every kind, nested on every side."""

from __future__ import annotations

import time

import pytest

from ltc_ir.compat import mlir

pytestmark = pytest.mark.versions

LIBRARY, BODY, LOOP, PROGRAM = (f'"{name}"("{name}.py":{line}:1)' for line, name in enumerate("lbwp", 1))
L, B, W, P = (f"{name}.py:{line}:{name}" for line, name in enumerate("lbwp", 1))


def location_of(text: str, *aliases: str) -> object:
    """A location as MLIR parses it, with the context it lives in."""
    lines = [*aliases, "module {", "} loc(" + text + ")"]
    context = mlir.mlir_context()
    return mlir.mlir_ir().Module.parse("\n".join(lines), context=context).operation.location


def frames_of(text: str, *aliases: str) -> list[str]:
    frames = mlir.LocationReader().frames(location_of(text, *aliases))
    return [":".join(map(str, frame)) for frame in frames]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIBRARY, [L]),
        (f"callsite({LIBRARY} at {BODY})", [B, L]),
        (f"callsite({LIBRARY} at callsite({BODY} at {LOOP}))", [W, B, L]),
        (f"callsite(callsite({LIBRARY} at {BODY}) at {LOOP})", [W, B, L]),
        (f"callsite(callsite({LIBRARY} at {BODY}) at callsite({LOOP} at {PROGRAM}))", [P, W, B, L]),
        (f"callsite(callsite(callsite({LIBRARY} at {BODY}) at {LOOP}) at {PROGRAM})", [P, W, B, L]),
        (f"callsite({LIBRARY} at callsite(callsite({BODY} at {LOOP}) at {PROGRAM}))", [P, W, B, L]),
        (f'"outer"(callsite("inner"(callsite({LIBRARY} at {BODY})) at {LOOP}))', [W, B, L]),
        (f"callsite(fused[callsite({LIBRARY} at {BODY}), {PROGRAM}] at {LOOP})", [W, B, L]),
        (f'callsite(fused<"pass">[{BODY}] at fused[unknown, {LOOP}, {PROGRAM}])', [W, B]),
        (f"callsite(unknown at callsite({BODY} at unknown))", [B]),
        ('"f"("g"("a.py":7:1))', ["a.py:7:g"]),
        ("unknown", []),
    ],
)
def test_the_frames_of_a_location_are_those_of_its_callees_inside_those_of_its_callers(
    text: str, expected: list[str]
) -> None:
    assert frames_of(text) == expected


def test_a_caller_read_before_is_the_same_whatever_it_calls() -> None:
    reader = mlir.LocationReader()
    shared = f"#c = loc(callsite({LOOP} at {PROGRAM}))"
    text = f'fused<"keep">[callsite(callsite({LIBRARY} at {BODY}) at #c), callsite({BODY} at #c), #c]'
    pair = location_of(text, shared)
    names = [["".join(frame[2]) for frame in reader.frames(part)] for part in pair.locations]  # type: ignore[attr-defined]
    assert names == [list("pwbl"), list("pwb"), list("pw")]
    assert [["".join(frame[2]) for frame in reader.frames(part)] for part in pair.locations] == names  # type: ignore[attr-defined]


@pytest.mark.parametrize("leaf", ['"a.py":1:1', "unknown"])
@pytest.mark.parametrize(
    ("side", "depth"),
    [("callsite(#l{n} at #l{n})", 64), ("callsite(#l{n} at #l0)", 20_000), ("callsite(#l0 at #l{n})", 20_000)],
)
def test_call_sites_without_end_are_read_up_to_a_limit(leaf: str, side: str, depth: int) -> None:
    aliases = [f"#l0 = loc({leaf})", *(f"#l{n + 1} = loc({side.format(n=n)})" for n in range(depth))]
    endless = location_of(f"#l{depth}", *aliases)
    start = time.perf_counter()
    assert len(mlir.LocationReader().frames(endless)) <= 2 * mlir.MOST_FRAMES
    assert time.perf_counter() - start < 5
