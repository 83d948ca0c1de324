"""Counts test programs in a process of its own and prints them as JSON, without what names the process's own versions.

Arguments: the names of programs, in the order to count them in; of each, all that is printed was counted in that order.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def printed(name: str) -> Any:
    """All of a program's count that may not depend on anything but the program and JAX."""
    import ltc_ir
    from ltc_ir.targets.target import Target
    from tests.registry import get
    from tests.tables.counted import GROUPINGS, levels_of

    program = get(name)
    with program.session():
        function, arguments = program.make()
        target = Target(function, arguments, name=name)
        platform = None if program.lowers_on_cpu else program.platform
        by = [grouping for grouping in GROUPINGS if grouping != "stack" or name != "doubling"]
        made = ltc_ir.count(target, programs=("forward",), levels=levels_of(name), by=by, platform=platform)
    return scrubbed(made.to_dict()["programs"])


def scrubbed(value: Any) -> Any:
    """A record without XLA's estimates of memory: the size of code it made differs from process to process."""
    if isinstance(value, dict):
        return {key: scrubbed(item) for key, item in value.items() if key != "code_bytes"}
    return [scrubbed(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    json.dump({name: printed(name) for name in sys.argv[1:]}, sys.stdout)
