"""XLA's own parser of HLO text, which says of a text that is spelled as XLA never prints it what it means."""

from __future__ import annotations

from typing import Any

from ltc_ir.compat.mlir import private


def hlo_parser() -> Any:
    """The function that makes a module of HLO text, or ``None``; it needs no JAX.

    It was in the client's extension until it moved to ``jaxlib._hlo`` (tried on 0.6.2, 0.10.2 and 0.12.0). It ends the
    process on some damaged texts, such as one with a parameter missing.
    """
    for module in ("jaxlib._hlo", "jaxlib._jax", "jaxlib.xla_extension"):
        if parser := private(module, "hlo_module_from_text"):
            return parser
    return None
