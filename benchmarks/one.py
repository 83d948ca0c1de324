"""Runs one benchmark in a process of its own, so that none finds another's caches; prints its lines as JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from contextlib import redirect_stdout
from typing import Any


def machine_words() -> dict[str, Any]:
    """The machine this runs on in one line, and the name of its accelerator where JAX has one."""
    import jax

    from ltc_ir.timing.machine import read_machine

    found = read_machine()
    cores = f"{found.usable_cores} of {found.cores} cores"
    parts = [
        found.cpu or "an unknown processor",
        cores,
        f"JAX {jax.__version__}",
        f"Python {platform.python_version()}",
    ]
    parts += [found.flags] if found.flags else []
    return {"machine": ", ".join(parts), "accelerator": None if jax.default_backend() == "cpu" else found.device}


def main() -> None:
    """Run the benchmark that is named, or say what machine this is."""
    from benchmarks.catalogue import BENCHMARKS, Settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "machine"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=Settings.runs)
    options = parser.parse_args()
    with redirect_stdout(sys.stderr):
        made: Any
        if options.name == "machine":
            made = machine_words()
        else:
            made = [vars(one) for one in BENCHMARKS[options.name].run(Settings(options.quick, options.runs))]
    print(json.dumps(made))


if __name__ == "__main__":
    main()
