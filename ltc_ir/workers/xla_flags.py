"""Why XLA ended a process: it does so, without an exception, where it cannot read the environment variable XLA_FLAGS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache

from ltc_ir.errors import UsageError

VARIABLE = "XLA_FLAGS"
_STARTS = "import jax; jax.devices()"
_LONGEST_S = 60.0
_SAID = re.compile(r"(?:parse_flags_from_env|command_line_flags)\.cc:\d+\] (?P<reason>.+)")


@cache
def refused_flags() -> UsageError | None:
    """That XLA refuses this environment's flags, found by starting it once more; ``None`` where it does not.

    To be asked of a process that ended without a word: it takes as long as starting JAX.
    """
    if not os.environ.get(VARIABLE):
        return None
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", _STARTS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = _SAID.search(tried.stderr.decode("utf-8", "replace"))
    if tried.returncode == 0 or said is None:
        return None
    return UsageError(f"XLA refuses {VARIABLE}: {said['reason'].strip()}", f"correct {VARIABLE}, or unset it")
