"""Decides how far the names in lowered IR can be trusted: by the program's jaxpr, or by the text alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ltc_ir.ir.op import REMAT
from ltc_ir.ir.origin import Element, ambiguous, breaks_names, hidden_flags, looks_like_transform
from ltc_ir.records.vocabulary import Phase


@dataclass(frozen=True)
class Evidence:
    """How far the names in a module can be trusted.

    ``masked`` are the user's scopes spelled like transforms, ``ambiguous`` those of them that AD may have written as well
    (where one breaks the names that contain it, all are ``garbled``); ``lowered`` means that they are known, as this process
    lowered the program. A transform may be lost on the way to a name where JAX 0.6.x wrote a file (its names start
    ``jit(f)/jit(main)`` in every function): there the absence of one proves nothing. ``phases`` are those of the program's
    jaxpr, where that is available: other phases are unattributed. ``doubtful`` names belong to several phases.
    ``sources`` is false for a text without debug information: its locations are its own lines, so none is read.
    """

    masked: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    garbled: bool = False
    lowered: bool = False
    sources: bool = True
    doubtful: frozenset[str] = frozenset()
    phases: frozenset[Phase] | None = None

    @classmethod
    def of_program(cls, scopes: Collection[str], phases: frozenset[Phase]) -> Evidence:
        """The evidence from a program's own jaxpr about the names in the IR that this process lowers it to."""
        masked = frozenset(filter(looks_like_transform, scopes))
        garbled = any(map(breaks_names, masked))
        return cls(masked, ambiguous(masked, scopes), garbled, lowered=True, phases=phases)

    def knows(self, elements: Collection[Element], flags: int) -> bool:
        """Whether these elements can have lost no flag to a scope of the user's that looks like one."""
        if self.pure or not self.masked:
            return True
        return bool(flags) if self.garbled else not hidden_flags(elements, self.ambiguous) & ~flags

    @property
    def pure(self) -> bool:
        """Whether nothing was differentiated: then whatever was lowered is primal, named or not."""
        return self.phases == frozenset({Phase.PRIMAL})

    def believed(self, flags: int) -> int:
        """The flags of a name without what the program does not do: no recomputation where its jaxpr has none."""
        return flags if self.phases is None or Phase.RECOMPUTE in self.phases else flags & ~REMAT

    def marks(self, flags: int, name: str) -> bool:
        """Whether a name without these flags would prove its operation primal.

        A constant is made at its first use and may have no transform at all (from 0.7 on), so it proves nothing. The same
        holds for every name in a program whose jaxpr has no primal equation and, without a jaxpr, for the operation that
        returns a program's results: its name is that of the program.
        """
        if flags or self.pure:
            return True
        silent = {"constant"} if self.lowered else {"constant", "return"}
        return name.rpartition(".")[2] not in silent and (self.phases is None or Phase.PRIMAL in self.phases)
