"""Reads the element types of an operation and, if requested, its attributes and the bytes of its results."""

from __future__ import annotations

import enum
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ltc_ir import compat
from ltc_ir.compat import mlir
from ltc_ir.ir.op import Detail, Details
from ltc_ir.records import element_types
from ltc_ir.records.signature import CONSTRAINT, LOOPS, TYPED

_LONGEST = 200
"""Characters of an attribute's value that are kept: a rule names short ones."""
_CONSTANT = frozenset({"value"})
_TARGETS = frozenset({"target_name", "call_target_name", "custom_call_target"})
_ENUM = re.compile(r"#\w+<\w+ (\w+)>")


CARRY, SHARDING = "carry", "sharding"
"""The attributes that hold the types a loop carries, and the sharding that a constraint demands."""


def of_equation(eqn: Any, details: Details) -> Detail | None:
    """The detail of a jaxpr's equation; tokens and the like have no element type and are left out."""
    typed = eqn.primitive.name in TYPED
    if details < Details.ALL:
        if typed:
            return _of_typed(eqn)
        if details < Details.TYPES:
            return None
        return _typed(tuple([getattr(variable.aval, "dtype", None) for variable in eqn.outvars]))
    results = tuple(_types(eqn.outvars))
    sizes = [_bytes(variable.aval) for variable in eqn.outvars]
    static_sizes = [size for size in sizes if size is not None]
    total = sum(static_sizes) if len(static_sizes) == len(sizes) else None
    attributes = dict(_parameters(eqn.params))
    kernel = _kernel_of(eqn)
    if kernel:
        attributes.setdefault("name", kernel)
    if typed:
        attributes.update(_of_typed(eqn).attributes)
    return Detail(results, tuple(_types(eqn.invars)), tuple(sorted(attributes.items())), total)


def _of_typed(eqn: Any) -> Detail:
    """The detail of an equation whose width matters: its types, what a loop carries, what sharding a constraint demands."""
    name = eqn.primitive.name
    results, operands = tuple(_types(eqn.outvars)), tuple(_types(eqn.invars))
    if name in LOOPS:
        carried = eqn.outvars[: compat.scan_sizes(eqn)[1]] if name == "scan" else eqn.outvars
        return Detail(results, (), ((CARRY, _counted(_types(carried))),))
    if name == CONSTRAINT:
        return Detail(results, (), ((SHARDING, _sharding_text(eqn)),))
    return Detail(results, operands)


def _counted(types: Iterable[str]) -> str:
    """Types in order, each with its number: ``f32 x3, i32``."""
    numbers = sorted(Counter(types).items())
    return ", ".join(f"{name} x{number}" if number > 1 else name for name, number in numbers)


def _sharding_text(eqn: Any) -> str:
    """The sharding that a constraint demands, without device ids: ``(d, -) over d=4``; of another kind its name."""
    sharding = eqn.params.get("sharding")
    spec, mesh = getattr(sharding, "spec", None), getattr(sharding, "mesh", None)
    if spec is None or mesh is None:
        return type(sharding).__name__
    dims = ["-" if axes is None else "+".join(axes) if isinstance(axes, tuple) else str(axes) for axes in spec]
    dims += ["-"] * (len(eqn.outvars[0].aval.shape) - len(dims))
    return f"({', '.join(dims)}) over {','.join(f'{axis}={size}' for axis, size in dict(mesh.shape).items())}"


@lru_cache(maxsize=4096)
def _typed(dtypes: tuple[Any, ...]) -> Detail:
    """The detail of results of these element types, and of nothing else; a program has few."""
    return Detail(tuple(element_types.of_dtype(dtype) for dtype in dtypes if dtype is not None))


def _kernel_of(eqn: Any) -> str | None:
    """The name of an unnamed Pallas kernel: that of its function, which its jaxpr records."""
    if eqn.primitive.name != "pallas_call":
        return None
    source_info = getattr(getattr(eqn.params.get("jaxpr"), "debug_info", None), "func_src_info", None)
    return str(source_info).partition(" at ")[0] if source_info else None


def _types(variables: Any) -> Iterator[str]:
    for variable in variables:
        dtype = getattr(variable.aval, "dtype", None)
        if dtype is not None:
            yield element_types.of_dtype(dtype)


def _bytes(aval: Any) -> int | None:
    dtype = getattr(aval, "dtype", None)
    if dtype is None or not all(isinstance(size, int) for size in aval.shape):
        return None if dtype is not None else 0
    return stored_bytes(math.prod(aval.shape), element_types.of_dtype(dtype), int(dtype.itemsize))


def stored_bytes(elements: int, element: str, size: int) -> int:
    """The bytes of so many elements of ``size`` bytes each; integers and floats below a byte are packed, as XLA does."""
    bits = re.match(r"[a-z]+([1-7])(?!\d)", element)
    return elements * size if bits is None else -(-elements * int(bits[1]) // 8)


def _parameters(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        named = _as_mapping(value)
        plain = _scalar(value)
        if named is not None:
            yield from _parameters(named)
        elif plain is not None:
            yield attribute_name(key), shorten(plain)


def _as_mapping(value: Any) -> Mapping[str, Any] | None:
    """A parameter that holds named values, as an FFI call's ``attributes`` do: a mapping, or pairs."""
    value = getattr(value, "val", value)  # hashable wrapping of a dictionary, in JAX 0.6.x
    if isinstance(value, Mapping) or (hasattr(value, "items") and hasattr(value, "__getitem__")):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, tuple) and value and all(_is_pair(item) for item in value):
        return dict(value)
    return None


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)


def _scalar(value: Any) -> Any:
    """A value that a rule can name: a number, a string, or an object with a name; else ``None``."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bool | int | float | str):
        return value
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else None


def attribute_name(key: str) -> str:
    """The name of an attribute on every level: a custom call's target has three names in the IR."""
    return "target" if key in _TARGETS else str(key)


def shorten(value: Any) -> str:
    """A value as text, cut where it is long."""
    return str(value)[:_LONGEST]


class MlirDetails:
    """Reads details of MLIR operations; types and attributes are unique in a context, so each is spelled once."""

    def __init__(self) -> None:
        self._elements: dict[Any, str] = {}
        self._bytes: dict[Any, int] = {}
        self._typed: dict[tuple[Any, ...], Detail] = {}

    def of_operation(self, operation: Any, details: Details) -> Detail:
        """The detail of a StableHLO operation."""
        kinds = tuple([result.type for result in operation.results])
        typed = self._typed.get(kinds)
        if typed is None:
            typed = self._typed[kinds] = Detail(tuple(self._elements_of(kinds)))
        if details < Details.ALL:
            return typed
        operands = tuple(self._elements_of(operand.type for operand in operation.operands))
        total = sum(map(self.bytes, kinds))
        without = _CONSTANT if operation.name == "stablehlo.constant" else ()
        return Detail(typed.results, operands, tuple(sorted(_named_attributes(operation.attributes, without))), total)

    def _elements_of(self, kinds: Iterable[Any]) -> Iterator[str]:
        return (element for element in map(self.element, kinds) if not element.endswith("token"))

    def element(self, kind: Any) -> str:
        """The short spelling of a type's element type."""
        spelling = self._elements.get(kind)
        if spelling is None:
            spelling = self._elements[kind] = element_types.of_mlir(str(getattr(kind, "element_type", kind)))
        return spelling

    def bytes(self, kind: Any) -> int:
        """The bytes of a tensor, a truth value taking one; 0 of a token."""
        size = self._bytes.get(kind)
        if size is None:
            size = self._bytes[kind] = _tensor_bytes(kind, self.element(kind))
        return size


def tensor_bytes(kind: Any) -> int:
    """Stored bytes of a ranked tensor: elements below a byte are packed, as MLIR stores them; 0 for a dynamic shape."""
    try:
        elements = math.prod(kind.shape)
        return -(-elements * element_bits(kind.element_type) // 8) if elements > 0 else 0
    except (ValueError, TypeError, AttributeError):
        return 0


def element_bits(kind: Any) -> int:
    """The width of an element type in bits; a complex one has two parts."""
    ir = mlir.mlir_ir()
    if str(kind).startswith("complex"):
        return 2 * element_bits(ir.ComplexType(kind).element_type)
    width = getattr(kind, "width", None)
    return int(width) if width is not None else 0


def _tensor_bytes(kind: Any, element: str) -> int:
    return math.prod(max(0, size) for size in kind.shape) if element == "bool" else tensor_bytes(kind)


def _named_attributes(attributes: Any, without: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    ir = mlir.mlir_ir()
    for name, attribute in compat.named_attributes(attributes, without):
        if isinstance(attribute, ir.DictAttr):
            yield from _named_attributes(attribute)
        elif not isinstance(attribute, ir.DenseElementsAttr):
            yield attribute_name(name.rpartition(".")[2]), _attribute_text(ir, attribute)


def _attribute_text(ir: Any, attribute: Any) -> str:
    """An attribute as Python would write it: ``True``, ``3``, a string without quotes, an enumeration's word; else as MLIR."""
    if isinstance(attribute, ir.BoolAttr):
        return str(bool(attribute.value))
    if isinstance(attribute, ir.StringAttr):
        return shorten(_text(attribute))
    if isinstance(attribute, ir.IntegerAttr | ir.FloatAttr):
        return shorten(attribute.value)
    word = _ENUM.fullmatch(str(attribute))
    return word[1] if word else shorten(attribute)


def _text(attribute: Any) -> str:
    """The text of a string; binary data, such as a compiled kernel's, as MLIR escapes it."""
    try:
        return str(attribute.value)
    except (RuntimeError, ValueError):
        return str(attribute)
