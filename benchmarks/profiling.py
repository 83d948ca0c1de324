"""The published profiling table taken again by one command: writes docs/profiling.md's tables, data and pictures."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ltc_ir.plots.timing import timing_picture
from ltc_ir.records.serialization import from_data
from ltc_ir.records.timing import ProgramTiming, Timing, seconds
from ltc_ir.render.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "profiling.md"
DATA = ROOT / "docs" / "data"
PICTURES = {dark: ROOT / "docs" / "pictures" / f"profiling-{'dark' if dark else 'light'}.svg" for dark in (False, True)}
COMMAND = "ltc-ir time ltc ctrnn node --program forward --program train_step --limit 60"
OLDER = "0.6"
"""The JAX that the published figures were taken with, as their IR says."""


@dataclass(frozen=True)
class Published:
    """A published figure in milliseconds: of which framework, what was called, and where it is from."""

    framework: str
    what: str
    ms: float
    source: str


ARTICLE = '"From Physics to Silicon" (2026), section 05'
SPLIT = "tests/reference/seed_ir.json, the authors' data"
PUBLISHED = {
    "eager": Published("JAX", "train step without jax.jit", 1820, ARTICLE),
    "lower": Published("JAX", "train step, lower", 708, SPLIT),
    "compile": Published("JAX", "train step, compile", 1210, SPLIT),
    "once": Published("JAX", "train step, one-time compile", 1918, ARTICLE),
    "steady": Published("JAX", "train step after XLA's compile", 19.3, ARTICLE),
    "julia": Published("Julia, Tsit5", "forward rollout", 51.8, ARTICLE),
    "pytorch": Published("PyTorch, RK4 of fixed step", "train step", 217.6, ARTICLE),
}
"""The published figures. The article's text also says 19 ms for the steady step, and ~95x for eager over steady."""

Figures = Callable[[str], float | None]


def measured(python: str) -> list[Timing]:
    """What the command measures with the ltc-ir of a Python."""
    command = [python, "-m", "ltc_ir_cli", *shlex.split(COMMAND)[1:], "--format", "json", "--quiet"]
    variables = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS" and key[:7] != "LTC_IR_"}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return read(done.stdout)


def read(text: str) -> list[Timing]:
    """Timings from the JSON that lists them."""
    return [from_data(one, Timing, "the timing") for one in json.loads(text)["timings"]]


def file_of(timings: Sequence[Timing]) -> Path:
    """Where these figures are kept: those of the older JAX apart."""
    minor = ".".join((timings[0].environment.jax or "").split(".")[:2])
    return DATA / (f"profiling-{OLDER}.json" if minor == OLDER else "profiling.json")


def stored() -> dict[str, list[Timing]]:
    """The figures kept, by the name of their block on the page."""
    found = {}
    for block in ("profiling", f"profiling-{OLDER}"):
        path = DATA / f"{block}.json"
        if path.exists():
            found[block] = read(path.read_text(encoding="utf-8"))
    return found


def keep(timings: Sequence[Timing]) -> None:
    """Write the figures; of the JAX of today also as CSV and as pictures."""
    path = file_of(timings)
    path.parent.mkdir(exist_ok=True)
    path.write_text(shown(timings, "json"), encoding="utf-8")
    if path.name == "profiling.json":
        path.with_suffix(".csv").write_text(shown(timings, "csv"), encoding="utf-8")
        for dark, picture in PICTURES.items():
            picture.parent.mkdir(exist_ok=True)
            picture.write_bytes(timing_picture(timings, "svg", dark))


def shown(timings: Sequence[Timing], format: str) -> str:
    """Timings as the command prints them."""
    made = FORMATS["time"][format](timings)
    assert isinstance(made, str)
    return made


def blocks(found: dict[str, list[Timing]]) -> dict[str, str]:
    """What stands between the markers of the page."""
    made = {name: shown(timings, "markdown").partition("\n\n")[2].strip() for name, timings in found.items()}
    return {**made, "beside": beside(found), "others": others(found), "command": f"```sh\n{COMMAND}\n```"}


def beside(found: dict[str, list[Timing]]) -> str:
    """The published figures of JAX and ours of the same program, one below the other's column."""
    ours = {name: program(timings, "ltc", "train_step") for name, timings in found.items()}
    columns: list[Figures] = [_published, *(_figures(made) for made in ours.values())]
    names = ["published", *(f"here, JAX {timings[0].environment.jax}" for timings in found.values())]
    rows = [(words, [show(figure(key)) for figure in columns]) for key, words, show in ROWS]
    return _table(["LTC train step", *names], rows)


def _milliseconds(value: float | None) -> str:
    return seconds(value) or "-"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}x"


def _calls(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


ROWS = (
    ("eager", "a call without `jax.jit`", _milliseconds),
    ("lower", "trace and lower", _milliseconds),
    ("compile", "compile", _milliseconds),
    ("once", "the three together, paid once", _milliseconds),
    ("steady", "a compiled call", _milliseconds),
    ("ratio", "eager / steady", _times),
    ("compiled_calls", "paid once, in compiled calls", _calls),
    ("eager_calls", "paid once, in eager calls", lambda value: "-" if value is None else f"{value:.2f}"),
)


def _published(key: str) -> float | None:
    known = {name: one.ms / 1000 for name, one in PUBLISHED.items()}
    return _with_quotients(known).get(key)


def _figures(made: ProgramTiming) -> Figures:
    trace, lower = made.seconds("trace"), made.seconds("lower")
    known = {
        "eager": made.seconds("eager"), "compile": made.seconds("compile"), "once": made.cost_s,
        "steady": made.seconds("steady"), "lower": None if trace is None or lower is None else trace + lower,
    }  # fmt: skip
    return _with_quotients({key: value for key, value in known.items() if value is not None}).get


def _with_quotients(known: dict[str, float]) -> dict[str, float]:
    quotients = {"ratio": ("eager", "steady"), "compiled_calls": ("once", "steady"), "eager_calls": ("once", "eager")}
    made = {key: known[a] / known[b] for key, (a, b) in quotients.items() if a in known and b in known}
    return {**known, **made}


def others(found: dict[str, list[Timing]]) -> str:
    """The published figures of other frameworks, each beside ours of the same kind of call."""
    kinds = {"julia": "forward", "pytorch": "train_step"}
    rows = []
    for key, name in kinds.items():
        one = PUBLISHED[key]
        ours = [_milliseconds(program(timings, "ltc", name).seconds("steady")) for timings in found.values()]
        rows.append((one.framework, [one.what, _milliseconds(one.ms / 1000), f"`ltc {name}`, steady", *ours]))
    names = [f"here, JAX {timings[0].environment.jax}" for timings in found.values()]
    return _table(["framework", "published for", "published", "the like of it here", *names], rows)


def program(timings: Sequence[Timing], target: str, name: str) -> ProgramTiming:
    """The timing of one program."""
    return next(timing for timing in timings if timing.target == target).programs[name]


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    ruled = ["---", *("---:" for _ in head[1:])]
    lines = [head, ruled, *([first, *cells] for first, cells in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def filled(text: str, made: dict[str, str]) -> str:
    """The page with each of its blocks made anew."""
    for name, block in made.items():
        between = re.compile(rf"(<!-- {re.escape(name)}: begin -->\n).*?(<!-- {re.escape(name)}: end -->)", re.S)
        text = between.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)  # type: ignore[misc]
    return text


def main() -> None:
    """Measure, and print the tables or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write data, pictures and the page")
    parser.add_argument("--also", metavar="PYTHON", action="append", default=[], help="and with this Python's JAX")
    parser.add_argument("--stored", action="store_true", help="measure nothing: write all from the figures kept")
    options = parser.parse_args()
    found = stored()
    for python in [] if options.stored else [sys.executable, *options.also]:
        timings = measured(python)
        found[file_of(timings).stem] = timings
    if not options.update:
        print("\n\n".join(blocks(found).values()))
        return
    for timings in found.values():
        keep(timings)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), blocks(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
