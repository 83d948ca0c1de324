"""A compile by pass with round figures, and the count by stack that the renderers are given."""

from __future__ import annotations

from ltc_ir.records.count import Count, Group, LevelCount, Tally
from ltc_ir.records.environment import Environment
from ltc_ir.records.passes import HLO, KERNELS, LLVM, Kernel, Passes, Thread
from ltc_ir.timing.profiler import Event, merge_by_path, nest_events, seconds_by_kind

MS = 1_000_000


def event(name: str, start_ms: float, duration_ms: float | None, kind: str | None = None, kernel: str | None = None):
    duration = None if duration_ms is None else round(duration_ms * MS)
    return Event(name, round(start_ms * MS), duration, kind, kernel)


def thread(name: str, *events: Event) -> Thread:
    return Thread(name, nest_events(events)[0])


def made(hlo_ms: float = 10) -> Passes:
    """A compile of 100 ms: so many of HLO passes, 80 of making code for two kernels; another thread overlaps it."""
    compiling = thread(
        "python",
        event("compile", 0, 100),
        event("backend_compile", 2, 97),
        event("pipeline", 3, hlo_ms, HLO),
        event("algsimp", 4, hlo_ms * 0.6),
        event("ThunkEmitter::Emit", 15, 20, KERNELS),
        event("Codegen", 36, 60, LLVM),
    )
    pool = thread(
        "codegen 1",
        event("FusionCompiler::Compile", 15, 12, KERNELS, "add_fusion"),
        event("CSEPass", 16, 4),
        event("FusionCompiler::Compile", 28, 6, KERNELS, "odd;name"),
        event("TaskDispatcher::dispatch", 36, 50, LLVM),
    )
    return Passes(
        "net grad",
        0.1,
        "python",
        (*merge_by_path(compiling), *merge_by_path(pool)),
        (
            Kernel("add_fusion", "codegen 1", 0.012, 1, "net.py:7", "backward"),
            Kernel("odd;name", "codegen 1", 0.006, 1, reason="the optimised HLO has no instruction of that name"),
            Kernel(None, "codegen 1", 0.05, 1, reason="LLVM: XLA names no kernel there"),
        ),
        seconds_by_kind(compiling),
        (compiling, pool),
    )


STACKS = {
    "net:loss:9;net:layer:4": {"forward": {"tanh": 2}, "backward": {"mul": 5}},
    "net:loss:9;net:layer:300": {"backward": {"dot_general": 300}},
    "net:loss:9": {"forward": {"add": 1}},
    "(no source)": {"unattributed": {"copy": 3}},
}


def by_stack(grouped: tuple[str, ...] = ("stack",), programs: tuple[str, ...] = ("grad",)) -> Count:
    groups = []
    for key, phases in STACKS.items():
        ops = {name: number for found in phases.values() for name, number in found.items()}
        groups.append(Group(key, Tally(ops, phases)))
    level = LevelCount("jaxpr", Tally({"all": 311}), {"phase": 1.0, "source": 1.0}, by=tuple(groups))
    here = Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1)
    return Count("net", here, {name: {"jaxpr": level} for name in programs}, grouped=grouped)
