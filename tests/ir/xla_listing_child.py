"""Lists the opcodes of HLO texts as XLA's parser reads them, one JSON answer a line; it dies where XLA does. No JAX here."""

from __future__ import annotations

import json
import sys
from collections import Counter

from ltc_ir.compat.hlo import hlo_parser


def listing(text: str) -> dict[str, int] | None:
    """How often each opcode (``kSine``) stands in a text, all computations; ``None`` where XLA refuses it."""
    parse = hlo_parser()
    try:
        module = parse(text)
    except Exception:
        return None
    return Counter(each.opcode.name for one in module.computations() for each in one.instructions())


if __name__ == "__main__":
    for one in json.load(sys.stdin):
        print(json.dumps(listing(one)), flush=True)
