from __future__ import annotations

import pytest

from ltc_ir.ir.hlo.shapes import shape_bytes


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ("f32[2,4]{1,0}", 32),
        ("(f32[], s4[8])", 12),
        ("pred[3]", 3),
        ("bf16", 2),
        ("f8e4m3fn[7]", 7),
        ("c64", 8),
        ("c128[2]", 32),
        ("token[]", 0),
        ("f32[<=5,2]{1,0}", 40),
        ("f32[0,7]", 0),
        ("s4[9]{0}", 9),
        ("s4[9]{0:E(4)}", 5),
        ("u2[9]{0:T(8)E(2)S(1)}", 3),
        ("(f32[2]{0:T(8,128)(2,1)}, /*index=1*/(s64[], bf16[3]{0}), token[], ())", 8 + 8 + 6),
        ("()", 0),
        ("b(f32[2]{0})", 8),
        ("f32[2]{0:T(8)P(s4[9]{0:E(4)})}", 8),
        ("opaque[]", None),
        ("f32[?]", None),
        ("f32[-1]", None),
        ("q7[2]", None),
        ("(f32[2]", None),
        ("f32[2])", None),
        ("", None),
        ("f32[" + "9" * 5000 + "]", None),
        ("(" * 100_000 + "f32[]" + ")" * 100_000, 4),
    ],
    ids=lambda value: str(value)[:40],
)
def test_shape_bytes(shape, size):
    assert shape_bytes(shape) == size
