"""The global random generators of Python and NumPy, which every target is to find as its own module's import left them."""

from __future__ import annotations

import random
import sys
from typing import Any, NamedTuple


class Generators(NamedTuple):
    """Their states; that of NumPy's is ``None`` where nothing has imported it."""

    python: Any
    numpy: Any

    def restore(self) -> None:
        """Let them go on from here."""
        random.setstate(self.python)
        module = sys.modules.get("numpy.random")
        if self.numpy is not None and module is not None:
            module.set_state(self.numpy)


def generators() -> Generators:
    """Their states now."""
    module = sys.modules.get("numpy.random")
    return Generators(random.getstate(), None if module is None else module.get_state())
