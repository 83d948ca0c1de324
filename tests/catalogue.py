"""Each test program once: small functions that between them hold every construct a count must get right.

Independent of ltc_ir. A maker builds a fresh function each time, so that no cache of JAX's joins two uses of a program.
"""

from tests import programs_language, programs_numeric  # noqa: F401 - their programs enter themselves in the table
from tests.programs_language import doubled
from tests.registry import JAX, PROGRAMS, TestProgram, get, names

__all__ = ["JAX", "PROGRAMS", "TestProgram", "doubled", "get", "names"]
