"""A kernel's line and phase are those of its instruction; what it does not say is inferred and marked, or left unknown."""

from __future__ import annotations

import pytest

from ltc_ir.ir.hlo.parser import parse
from ltc_ir.ir.hlo.reader import read
from ltc_ir.ir.origin import Evidence, Ownership
from ltc_ir.records.passes import Kernel
from ltc_ir.records.vocabulary import By
from ltc_ir.timing.passes import LINES_DIFFER, NO_LINE, NO_PHASE, NOT_IN_HLO, Origins

FORWARD, BACKWARD = "jit(f)/jvp()", "jit(f)/transpose(jvp())"


def at(line: int, op_name: str) -> str:
    return f', metadata={{op_name="{op_name}" source_file="net.py" source_line={line}}}'


HLO = f"""HloModule jit_f

fused_alike {{
  p = f32[2] parameter(0)
  a = f32[2] sine(p){at(4, FORWARD + "/sin")}
  ROOT b = f32[2] negate(a){at(4, FORWARD + "/neg")}
}}

fused_apart {{
  q = f32[2] parameter(0)
  c = f32[2] sine(q){at(4, FORWARD + "/sin")}
  ROOT d = f32[2] cosine(c){at(9, BACKWARD + "/cos")}
}}

fused_bare {{
  r = f32[2] parameter(0)
  ROOT e = f32[2] copy(r)
}}

ENTRY main {{
  x = f32[2] parameter(0)
  own_fusion = f32[2] fusion(x), kind=kLoop, calls=fused_apart{at(7, BACKWARD + "/mul")}
  alike_fusion = f32[2] fusion(own_fusion), kind=kLoop, calls=fused_alike
  apart_fusion.1 = f32[2] fusion(alike_fusion), kind=kLoop, calls=fused_apart
  wrapped_line = f32[2] fusion(alike_fusion), kind=kLoop, calls=fused_bare, metadata={{source_file="net.py" source_line=3}}
  ROOT wrapped_copy = f32[2] fusion(apart_fusion.1), kind=kLoop, calls=fused_bare
}}
"""


@pytest.fixture(scope="module")
def origins() -> Origins:
    module = parse(HLO)
    return Origins(module, read(module, {By.SOURCE}, Ownership(), Evidence(lowered=True)))


@pytest.mark.parametrize(
    ("name", "source", "phase", "inferred", "reason"),
    [
        ("own_fusion", "net.py:7", "backward", False, None),
        ("alike_fusion", "net.py:4", "forward", True, None),
        ("apart_fusion.1", None, None, False, LINES_DIFFER),
        ("wrapped_line", "net.py:3", None, False, NO_PHASE),
        ("wrapped_copy", None, None, False, NO_LINE),
        ("from_elsewhere", None, None, False, NOT_IN_HLO),
    ],
)
def test_what_is_known_of_a_kernel(origins: Origins, name, source, phase, inferred, reason):
    found = origins.kernel(name, "codegen 1", 2_000_000, 3)
    assert found == Kernel(name, "codegen 1", 0.002, 3, source, phase, inferred, reason)
