"""Files whose functions are not all reached by calls of one module: several modules in a file, functions that kernels apply."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ltc_ir.compat import mlir
from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count
from ltc_ir.records.request import parse_request
from ltc_ir.tables.from_file import count_stored

T = "tensor<3xf32>"
FUNCTION = f"""func.func %s @%s(%%a: {T}) -> {T} {{
  %%0 = %s %%a : {T}
  return %%0 : {T}
}}
"""


def module_of(name: str, operation: str, calls: int, inside: str = "") -> str:
    """A module whose ``main`` calls its ``g`` so often, which is of one operation."""
    body = "".join(f"  %{n + 1} = call @g(%{n}) : ({T}) -> {T}\n" for n in range(calls))
    main = f"func.func public @main(%0: {T}) -> {T} {{\n{body}  return %{calls} : {T}\n}}\n"
    return f"module {name}{{\n{inside}{main}{FUNCTION % ('private', 'g', operation)}}}\n"


@pytest.fixture
def counted(tmp_path):
    """Count a text as a file."""

    def count(text: str, **asked: Any) -> Count:
        path = tmp_path / "a.mlir"
        path.write_text(text)
        return count_stored(str(path), parse_request(**asked))

    return count


def walked(text: str) -> Counter[str]:
    """Every operation of a text, by MLIR's own walk."""
    found: Counter[str] = Counter()
    ir = mlir.mlir_ir()
    context = mlir.mlir_context()

    def note(operation: Any) -> Any:
        found[operation.name] += 1
        return ir.WalkResult.ADVANCE

    ir.Module.parse(text, context).operation.walk(note)
    return found


SEVERAL = {
    "split": module_of("", "stablehlo.sine", 1) + "\n// -----\n\n" + module_of("@b ", "stablehlo.cosine", 3),
    "named": module_of("@a ", "stablehlo.sine", 1) + module_of("@b ", "stablehlo.cosine", 3),
    "nested": module_of("@a ", "stablehlo.sine", 1, module_of("@b ", "stablehlo.cosine", 3)),
    "twice nested": f"module {{\n{module_of('@a ', 'stablehlo.sine', 1, module_of('@b ', 'stablehlo.cosine', 3))}}}\n",
}


@pytest.mark.versions
@pytest.mark.parametrize("text", SEVERAL.values(), ids=SEVERAL)
def test_modules_in_one_file_have_functions_of_their_own(counted, text):
    made = counted(text)
    level = made.programs["file"]["stablehlo"]
    assert level.tally.ops == walked(text)
    modules = level.tally.ops["builtin.module"]
    assert level.expanded.ops == {
        "builtin.module": modules,
        "func.func": 6,
        "func.call": 4,
        "func.return": 6,
        "stablehlo.sine": 1,
        "stablehlo.cosine": 3,
    }
    functions = [(each.name.rpartition("::")[2], each.operations, each.calls) for each in level.functions]
    assert sorted(functions) == [("g", 3, 1), ("g", 3, 3), ("main", 3, 1), ("main", 5, 1)]
    assert len({each.name for each in level.functions}) == 4
    assert any("modules (" in note and "counted apart" in note for note in made.notes)


@pytest.mark.versions
def test_one_module_is_counted_as_ever(counted):
    made = counted(module_of("@jit_f ", "stablehlo.sine", 2))
    level = made.programs["file"]["stablehlo"]
    assert {function.name: function.calls for function in level.functions} == {"main": 1, "g": 2}
    assert not any("modules" in note for note in made.notes)


@pytest.mark.versions
def test_donated_arguments_of_every_module_are_counted(counted):
    donated = module_of("@a ", "stablehlo.sine", 1).replace(f"%0: {T}", f"%0: {T} {{jax.buffer_donor = true}}", 1)
    made = counted(donated + donated.replace("@a", "@b"))
    assert made.programs["file"]["stablehlo"].further["donated.bytes"] == 24


@pytest.mark.versions
def test_functions_that_a_kernel_applies_are_called(counted):
    text = f"""module {{
func.func public @main(%a: {T}) -> {T} {{
  %0 = stablehlo.custom_call @kernel(%a) {{called_computations = [@g, @gone]}} : ({T}) -> {T}
  %1 = stablehlo.custom_call @kernel(%0) {{called_computations = [@g]}} : ({T}) -> {T}
  return %1 : {T}
}}
{FUNCTION % ("private", "g", "stablehlo.sine")}}}
"""
    level = counted(text).programs["file"]["stablehlo"]
    assert level.tally.ops == walked(text)
    assert level.expanded.ops == walked(text) + Counter({"func.func": 1, "stablehlo.sine": 1, "func.return": 1})
    assert {function.name: (function.sites, function.calls) for function in level.functions} == {
        "main": (0, 1),
        "g": (2, 2),
    }


REFUSED = {
    "no such function": module_of("", "stablehlo.sine", 1).replace("private @g", "private @h"),
    "a symbol twice": module_of("@a ", "stablehlo.sine", 1) * 2,
    "a function twice": module_of("", "stablehlo.sine", 1).replace("@main", "@g"),
    "no such value": module_of("", "stablehlo.sine", 1).replace("return %0", "return %9"),
    "a call into another module": module_of("@a ", "stablehlo.sine", 1, module_of("@b ", "stablehlo.sine", 1)).replace(
        "private @g", "private @h", 1
    ),
    "a cycle of locations": "#a = loc(fused[#b])\n#b = loc(fused[#a])\n" + module_of("", "stablehlo.sine", 1),
    "no such location": module_of("", "stablehlo.sine", 1).replace(
        "return %0 : tensor<3xf32>", "return %0 : tensor<3xf32> loc(#x)"
    ),
    "a module cut off": module_of("", "stablehlo.sine", 1).rstrip()[:-1],
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_mlir_refuses_is_refused_with_its_place(counted, text):
    with pytest.raises(UsageError, match=r"cannot read .*a\.mlir: \d+:\d+: "):
        counted(text)


@pytest.mark.parametrize(
    "location",
    ['"%s.py":1:1', '"jit(f)/sin"("/%s/a.py":3:4)', '"jit(f)/%s/sin"("a.py":1:1)', r'"\00a/%s.py":1:1'],
    ids=["file", "folder", "name", "no file"],
)
def test_names_of_any_length_and_spelling_are_read(counted, location):
    text = module_of("", "stablehlo.sine", 1).replace(
        "sine %a : tensor<3xf32>", f"sine %a : tensor<3xf32> loc({location})"
    )
    assert "loc(" in text
    made = counted(text.replace("%s", "x" * 5000), by=("source", "stack"))
    assert made.programs["file"]["stablehlo"].tally.ops["stablehlo.sine"] == 1
