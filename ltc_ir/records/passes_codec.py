"""A compile by pass to JSON and back: the list `passes` of a timing, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ltc_ir.records.passes import Kernel, Passes, PassTime, Slice, Thread
from ltc_ir.render.words.passes import sentence

KEYS = ("passes", "kernels", "compiler")
"""The keys of a program's timing that hold it."""


def passes_to_dict(passes: Passes, *, timeline: bool = False) -> dict[str, Any]:
    """What a program's timing holds of its passes; with ``timeline`` also when each event was, as one process tells another."""
    compiler: dict[str, Any] = {
        "program": passes.program,
        "compile_s": passes.compile_s,
        "thread": passes.compiling,
        "root_s": passes.root_s,
        "covered": passes.covered,
        "kinds": dict(passes.kinds),
        "sentence": sentence(passes),
        "notes": list(passes.notes),
    }
    if timeline:
        compiler["timeline"] = [
            {"thread": thread.name, "slices": list(map(list, thread.slices))} for thread in passes.timeline
        ]
    return {
        "passes": [{**asdict(one), "path": list(one.path)} for one in passes.times],
        "kernels": [asdict(one) for one in passes.kernels],
        "compiler": compiler,
    }


def passes_from_dict(data: Mapping[str, Any]) -> Passes | None:
    """The passes of a program's timing; ``None`` where there are none."""
    if data.get("passes") is None:
        return None
    compiler = data["compiler"]
    return Passes(
        program=str(compiler["program"]),
        compile_s=float(compiler["compile_s"]),
        compiling=str(compiler["thread"]),
        times=tuple(PassTime(**{**one, "path": tuple(one["path"])}) for one in data["passes"]),
        kernels=tuple(Kernel(**one) for one in data["kernels"]),
        kinds=dict(compiler["kinds"]),
        timeline=tuple(
            Thread(str(one["thread"]), tuple(Slice(*part) for part in one["slices"]))
            for one in compiler.get("timeline", ())
        ),
        notes=tuple(compiler["notes"]),
    )
