"""Edits of small programs, each with what a check must say of it: the verdict, and a part of the sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ltc_ir.records.check import ProgramCheck
from ltc_ir.records.snapshot_toml import dumps, loads
from ltc_ir.render.words.check import message
from ltc_ir.rules.check import Case, check_program
from ltc_ir.snapshots.capture import Captured, capture, capture_request
from ltc_ir.targets.target import Target

STEP = """\
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

BF, F32 = jnp.bfloat16, jnp.float32


def shape(*sizes, dtype=BF):
    return jax.ShapeDtypeStruct(sizes, dtype)


def cell(w, h, x):
    product = h @ w
    summed = product + x
    return jnp.tanh(summed)


@partial(jax.jit, donate_argnums=(0,), static_argnums=(5,))
def step(params, h, xs, rate, places, axis):
    def body(carry, x):
        new = cell(params["w"], carry, x)
        return new, new

    last, outputs = lax.scan(body, h, xs)
    scale = jnp.exp(params["b"])
    shift = jnp.sin(params["b"])
    steps = lax.iota(jnp.int32, 4)
    updated = {
        "b": params["b"] + scale,
        "w": lax.rev(params["w"], (axis,)),
    }
    return updated, outputs * shift, last * rate.astype(BF), steps, places + 1


PARAMS = {"b": shape(4), "w": shape(4, 4)}
ARGS = (PARAMS, shape(2, 4), shape(3, 2, 4), shape(), shape(2, dtype=jnp.int32), 1)
"""

CONVOLUTION = """\
import jax
import jax.numpy as jnp
from jax import lax


@jax.jit
def step(x, w):
    blurred = lax.conv_general_dilated(x, w, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))
    counted, total = lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * c[1]), (0, x))
    return blurred, total


ARGS = (jax.ShapeDtypeStruct((1, 8, 2), jnp.bfloat16), jax.ShapeDtypeStruct((3, 2, 5), jnp.bfloat16))
"""

MESH = """\
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

MESH = Mesh(np.array(jax.devices()[:4]), ("d",))
ROWS, WHOLE, COLUMNS = (NamedSharding(MESH, spec) for spec in (P("d"), P(), P(None, "d")))
try:
    shard_map = jax.shard_map
except AttributeError:
    from jax.experimental.shard_map import shard_map


@partial(shard_map, mesh=MESH, in_specs=P("d"), out_specs=P())
def pooled(x):
    return lax.psum(jnp.sum(x, 0), "d")


@partial(jax.jit, donate_argnums=(0,), out_shardings=(ROWS, WHOLE, None))
def step(x, w):
    spread = lax.with_sharding_constraint(x * 2, ROWS)
    return spread, x @ w, pooled(x)


ARGS = (
    jax.ShapeDtypeStruct((8, 8), jnp.bfloat16, sharding=ROWS),
    jax.ShapeDtypeStruct((8, 8), jnp.bfloat16, sharding=WHOLE),
)
"""


SYMBOLIC = """\
import jax
import jax.numpy as jnp
from jax import export

(b,) = export.symbolic_shape("b")


def step(x, y):
    return jnp.concatenate([x, x]) @ y


ARGS = (jax.ShapeDtypeStruct((b + 1, b), jnp.bfloat16), jax.ShapeDtypeStruct((b, 3 * b + 2), jnp.bfloat16))
"""


class Edit(NamedTuple):
    """What replaces what in a program's text, the verdict on that, and a part of what is said of it."""

    name: str
    replaced: tuple[tuple[str, str], ...]
    verdict: str
    said: str = ""


def edit(name: str, *texts: str, verdict: str = "match", said: str = "") -> Edit:
    """An edit; the texts are old and new in turn."""
    return Edit(name, tuple(zip(texts[::2], texts[1::2], strict=True)), verdict, said)


HARMLESS = (
    edit("a comment", "    product = h @ w\n", "    # the recurrent part\n    product = h @ w  # a product\n"),
    edit("other lines", "def cell", "\n\n\n\ndef unused():\n    return None\n\n\ndef cell"),
    edit("over several lines", "    product = h @ w\n", "    product = (\n        h\n        @ w\n    )\n"),
    edit("a docstring", "def cell(w, h, x):\n", 'def cell(w, h, x) -> "jax.Array":\n    """One step."""\n'),
    edit("a variable renamed", "product", "recurrent", "summed", "pre_activation"),
    edit("a variable inlined", "    product = h @ w\n    summed = product + x\n", "    summed = h @ w + x\n"),
    edit("a variable added", "        return new, new\n", "        out = new\n        return new, out\n"),
    edit("an argument renamed", "params", "weights"),
    edit(
        "two arguments renamed",
        "step(params, h, xs",
        "step(params, h0, inputs",
        "scan(body, h, xs)",
        "scan(body, h0, inputs)",
    ),
    edit("a static argument renamed", "places, axis", "places, dim", "(axis,)", "(dim,)"),
    edit("a leaf renamed", '"w"', '"weight"'),
    edit("static by name", "static_argnums=(5,)", 'static_argnames=("axis",)'),
    edit("donated by name", "donate_argnums=(0,)", 'donate_argnames=("params",)'),
    edit(
        "two lines exchanged",
        'scale = jnp.exp(params["b"])\n    shift = jnp.sin(params["b"])',
        'shift = jnp.sin(params["b"])\n    scale = jnp.exp(params["b"])',
    ),
    edit(
        "a line moved up",
        "    steps = lax.iota(jnp.int32, 4)\n",
        "",
        "    last, outputs",
        "    steps = lax.iota(jnp.int32, 4)\n    last, outputs",
    ),
    edit(
        "entries exchanged",
        '        "b": params["b"] + scale,\n        "w": lax.rev(params["w"], (axis,)),\n',
        '        "w": lax.rev(params["w"], (axis,)),\n        "b": params["b"] + scale,\n',
    ),
    edit("an assertion", "    product = h @ w\n", "    assert h.ndim == 2\n    product = h @ w\n"),
    edit("another import", "import jax.numpy as jnp", "from jax import numpy as jnp"),
    edit("a named type", "    summed = product + x\n", "    summed: jax.Array = product + x\n"),
    edit("a constant's value", "places + 1", "places + 2"),
    edit("an unused argument's default", "places, axis)", "places, axis=1)"),
)

MEANINGFUL = (
    edit(
        "a donation lost",
        "donate_argnums=(0,), ",
        "",
        verdict="grown",
        said="argument params.w is no longer donated (32 bytes)",
    ),
    edit(
        "a leaf renamed to another place",
        '"w"',
        '"a"',
        verdict="changed",
        said="the arguments are in another order: params.a, params.b (was params.b, params.w)",
    ),
    edit(
        "arguments in another order",
        "step(params, h, xs, rate",
        "step(params, h, rate, xs",
        "shape(3, 2, 4), shape(), ",
        "shape(), shape(3, 2, 4), ",
        verdict="changed",
        said="the arguments are in another order: rate, xs (was xs, rate)",
    ),
    edit(
        "a donation lost of a leaf with a new name",
        "donate_argnums=(0,), ",
        "",
        '"w"',
        '"a"',
        verdict="grown",
        said="argument params.a is no longer donated (32 bytes)",
    ),
    edit(
        "another argument donated",
        "donate_argnums=(0,)",
        "donate_argnums=(1,)",
        verdict="grown",
        said="argument h is donated",
    ),
    edit(
        "one more donated",
        "donate_argnums=(0,)",
        "donate_argnums=(0, 1)",
        verdict="changed",
        said="argument h is donated (16 bytes)",
    ),
    edit(
        "a donation that no result can use",
        'lax.rev(params["w"], (axis,))',
        'lax.rev(params["w"], (axis,))[:2]',
        verdict="grown",
        said="argument params.w is no longer donated",
    ),
    edit(
        "a wider argument",
        '{"b": shape(4)',
        '{"b": shape(4, dtype=F32)',
        verdict="grown",
        said="argument params.b became f32[4] (was bf16[4])",
    ),
    edit(
        "a wider result",
        "return updated, outputs * shift",
        "return updated, (outputs * shift).astype(F32)",
        verdict="grown",
        said="result 1 became f32[3,2,4] (was bf16[3,2,4])",
    ),
    edit(
        "a wider carry",
        "scan(body, h, xs)",
        "scan(body, h.astype(F32), xs)",
        "return new, new",
        "return new.astype(F32), new.astype(BF)",
        verdict="grown",
        said="carries f32 (was bf16)",
    ),
    edit(
        "a wider product",
        "product = h @ w",
        "product = (h.astype(F32) @ w.astype(F32)).astype(BF)",
        verdict="grown",
        said="dot_general at model.py:15 multiplies f32 (was bf16)",
    ),
    edit(
        "a wider sum of products",
        "product = h @ w",
        "product = jnp.dot(h, w, preferred_element_type=F32).astype(BF)",
        verdict="grown",
        said="dot_general at model.py:15 gives f32 (was bf16)",
    ),
    edit(
        "another shape",
        "shape(2, 4), shape(3, 2, 4)",
        "shape(5, 4), shape(3, 5, 4)",
        verdict="changed",
        said="argument h became bf16[5,4] (was bf16[2,4])",
    ),
    edit(
        "a longer loop",
        "shape(3, 2, 4)",
        "shape(7, 2, 4)",
        verdict="changed",
        said="argument xs became bf16[7,2,4] (was bf16[3,2,4])",
    ),
    edit(
        "a narrower argument",
        "dtype=jnp.int32), 1)",
        "dtype=jnp.int16), 1)",
        verdict="changed",
        said="argument places became i16[2] (was i32[2])",
    ),
    edit(
        "a weak type",
        "shape(), shape(2,",
        "0.5, shape(2,",
        verdict="grown",
        said="argument rate became weak f32[] (was bf16[])",
    ),
    edit(
        "a static value",
        "dtype=jnp.int32), 1)",
        "dtype=jnp.int32), 0)",
        verdict="changed",
        said="static argument axis is 0 (was 1)",
    ),
    edit(
        "a static argument gone",
        "places, axis)",
        "places)",
        "static_argnums=(5,)",
        "static_argnums=()",
        "(axis,)",
        "(1,)",
        "dtype=jnp.int32), 1)",
        "dtype=jnp.int32))",
        verdict="changed",
        said="static argument axis is gone: it was 1",
    ),
    edit(
        "a new argument",
        "places, axis)",
        "places, axis, extra)",
        "places + 1",
        "places + extra",
        "jnp.int32), 1)",
        "jnp.int32), 1, shape(2, dtype=jnp.int32))",
        verdict="changed",
        said="argument extra is new: i32[2]",
    ),
    edit(
        "an argument gone",
        "xs, rate, places",
        "xs, places",
        "static_argnums=(5,)",
        "static_argnums=(4,)",
        " * rate.astype(BF)",
        "",
        "shape(), ",
        "",
        verdict="changed",
        said="argument rate is gone: it was bf16[]",
    ),
    edit(
        "a new result",
        "steps, places + 1",
        "steps, places + 1, scale",
        verdict="changed",
        said="result 5 is new: bf16[4]",
    ),
    edit("a result gone", ", steps, places + 1", ", steps", verdict="changed", said="result 4 is gone: it was i32[2]"),
    edit(
        "results exchanged",
        "outputs * shift, last * rate.astype(BF)",
        "last * rate.astype(BF), outputs * shift",
        verdict="changed",
        said="result 1 became bf16[2,4] (was bf16[3,2,4])",
    ),
    edit(
        "another type of equal counts",
        "lax.iota(jnp.int32, 4)",
        "lax.iota(jnp.int16, 4)",
        verdict="changed",
        said="iota at model.py:29 became i16 (was i32)",
    ),
    edit(
        "an unrolled loop",
        "scan(body, h, xs)",
        "scan(body, h, xs, unroll=3)",
        verdict="grown",
        said="+2 stablehlo.dot_general, 1 -> 3",
    ),
    edit(
        "one operation more", "jnp.tanh(summed)", "jnp.tanh(jnp.tanh(summed))", verdict="grown", said="+1 tanh, 1 -> 2"
    ),
    edit(
        "one operation less", "return jnp.tanh(summed)", "return summed", verdict="shrunk", said="tanh is gone: was 1"
    ),
    edit("another function", "cell", "unit", verdict="moved", said="in other functions or phases"),
    edit(
        "another operand",
        'params["b"] + scale',
        'scale + params["b"]',
        verdict="changed",
        said="another jaxpr fingerprint",
    ),
    edit(
        "another precision",
        "product = h @ w",
        'product = jnp.matmul(h, w, precision="highest")',
        verdict="changed",
        said="another jaxpr fingerprint",
    ),
    edit(
        "a value widened on the way",
        "summed = product + x",
        "summed = (product + x).astype(F32).astype(BF)",
        verdict="grown",
        said="convert_element_type",
    ),
)

CONVOLVED = (
    edit(
        "a wider convolution",
        "conv_general_dilated(x, w,",
        "conv_general_dilated(x.astype(jnp.float32), w.astype(jnp.float32),",
        verdict="grown",
        said="conv_general_dilated at model.py:8 multiplies f32 (was bf16)",
    ),
    edit(
        "a wider carry of a while loop",
        "(0, x))",
        "(0, x.astype(jnp.float32)))",
        verdict="grown",
        said="while at model.py:9 carries f32, i32 (was bf16, i32)",
    ),
)

OF_SYMBOLIC_SIZES = (
    edit("the same sizes", "3 * b + 2", "2 + 3 * b"),
    edit(
        "another size",
        "(b + 1, b)",
        "(b + 2, b)",
        verdict="changed",
        said="argument x became bf16[b+2,b] (was bf16[b+1,b])",
    ),
)

SHARDED = (
    edit("the same shardings, on a mesh of another name", "MESH", "DEVICES"),
    edit(
        "a result replicated",
        "(ROWS, WHOLE, None)",
        "(WHOLE, WHOLE, None)",
        verdict="changed",
        said="result 0 is replicated (was sharded",
    ),
    edit("a result split", "(ROWS, WHOLE, None)", "(ROWS, ROWS, None)", verdict="changed", said="(was replicated)"),
    edit(
        "a result left to XLA",
        "(ROWS, WHOLE, None)",
        "(ROWS, None, None)",
        verdict="changed",
        said="result 1 is sharded as XLA chooses (was replicated)",
    ),
    edit(
        "an argument replicated",
        "jnp.bfloat16, sharding=ROWS",
        "jnp.bfloat16, sharding=WHOLE",
        verdict="changed",
        said="argument x is replicated (was sharded",
    ),
    edit(
        "another constraint",
        "constraint(x * 2, ROWS)",
        "constraint(x * 2, COLUMNS)",
        verdict="changed",
        said="(was (d, -) over d=4)",
    ),
    edit(
        "a constraint to replicate",
        "constraint(x * 2, ROWS)",
        "constraint(x * 2, WHOLE)",
        verdict="changed",
        said="sharding_constraint at model.py:24 is replicated (was sharded over d)",
    ),
    edit(
        "a wider collective",
        "lax.psum(jnp.sum(x, 0)",
        "lax.psum(jnp.sum(x.astype(jnp.float32), 0)",
        verdict="grown",
        said="sends f32 (was bf16)",
    ),
    edit(
        "a donation lost on a mesh",
        "donate_argnums=(0,), ",
        "",
        verdict="grown",
        said="argument x is no longer donated (128 bytes)",
    ),
)


def captured(text: str, path: Path) -> Captured:
    """A program as its text stands in a file of this name."""
    path.write_text(text)
    names: dict[str, Any] = {"__name__": "model", "__file__": str(path)}
    exec(compile(text, str(path), "exec"), names)
    return capture(Target(names["step"], names["ARGS"], name="model.py:step"), "forward", capture_request())


def checked(before: Captured, after: Captured) -> ProgramCheck:
    """The check of a state of a program against the snapshot of another, as its file holds it."""
    baseline = loads(dumps(before.snapshot), "the snapshot")
    return check_program(Case(after.tables, after.snapshot, baseline, file="forward.toml"))


def faults(text: str, edits: tuple[Edit, ...], folder: Path) -> list[str]:
    """The edits of which a check says anything else than it must."""
    path = folder / "model.py"
    base = captured(text, path)
    wrong = []
    for one in edits:
        edited = text
        for old, new in one.replaced:
            assert old in edited, (one.name, old)
            edited = edited.replace(old, new)
        check = checked(base, captured(edited, path))
        words = "\n".join([change.words or "" for change in check.changes] + message(check)).replace(f"{folder}/", "")
        silent = not check.changes and not check.notes
        if check.status != one.verdict or one.said not in words or (one.verdict == "match" and not silent):
            wrong.append(f"{one.name}: {check.status}, not {one.verdict}, or without {one.said!r}:\n{words}")
    return wrong
