"""The words that XLA writes in an instruction (attributes, fields of metadata, types): a misspelt one loses what it would say.

Whatever is not here may still be right, as versions and platforms add words; then XLA's own parser decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ltc_ir.ir.hlo.scanner import COMMENT, LITERAL, NAME, STRING, VALUE, group_end, pairs

_EVERYWHERE = """
metadata backend_config frontend_attributes control-predecessors sharding original_value origin result_accuracy statistics
"""
_CALLING = """
to_apply calls condition body branch_computations true_computation false_computation called_computations select scatter
comparator
"""
_OWN = """
algorithm api_version async_execution_thread async_group_id batch_group_count channel_id collapsed_slice_dims
constrain_layout cross_program_prefetch_index custom_call_has_side_effect custom_call_target delta dim_labels dimensions
direction distribution domain dynamic_slice_sizes entry epsilon exit exponent_bits feature_group_count feature_index
fft_length fft_type index index_vector_dim indices_are_sorted infeed_config inserted_window_dims input_batching_dims
iota_dimension is_cross_program_prefetch is_host_transfer is_stable k kind largest left_side lhs_batch_dims
lhs_contracting_dims lhs_ragged_dims literal lower mantissa_bits offset_dims operand_batching_dims operand_layout_constraints
operand_precision order outfeed_config outfeed_shape output_to_operand_aliasing padding parameter_replication
replica_groups rhs_batch_dims rhs_contracting_dims rhs_group_dims scatter_dims_to_operand_dims scatter_indices_batching_dims
schedule slice slice_sizes source_target_pairs split_dimension start_index_map start_indices_batching_dims transpose_a type
unique_indices unit_diagonal update_window_dims use_global_device_ids window
"""
ATTRIBUTES = frozenset(f"{_EVERYWHERE} {_CALLING} {_OWN}".split())
"""The attributes of instructions."""

_TEXTS = ("op_type", "op_name", "source_file")
_NUMBERS = ("source_line", "source_end_line", "source_column", "source_end_column", "stack_frame_id")
_LATER_TEXTS = ("deduplicated_name", "scheduling_name")
_FIELDS = {**dict.fromkeys((*_TEXTS, *_LATER_TEXTS), STRING), **dict.fromkeys(_NUMBERS, r"-?\d{1,9}")}
"""The fields of metadata with what their values are, in the order in which XLA prints them."""


def _optional(*names: str, inner: str = "") -> str:
    return "".join(rf"(?:{name}={_FIELDS[name]} ?{inner})?" for name in names)


def _one_of(names: frozenset[str]) -> str:
    """One of the names; those of one first letter are tried together, as most letters fail at once."""
    groups = ((letter, sorted(name[1:] for name in names if name[0] == letter)) for letter in _LETTERS)
    return "|".join(rf"{letter}(?:{'|'.join(ends)})" for letter, ends in groups if ends)


_LETTERS = "dtckiswbfalmnopruegh"
_LOCATED = _optional("source_file", inner=_optional(*_NUMBERS[:4]))
_METADATA = f"{_optional(*_TEXTS[:2])}{_LOCATED}{_optional(_NUMBERS[4], *_LATER_TEXTS)}"
_BUT_METADATA = rf"(?:, (?!metadata)(?:(?:{_one_of(ATTRIBUTES - {'metadata', 'literal'})})={VALUE}|{LITERAL}))*"
USUAL_ATTRIBUTES = rf"{_BUT_METADATA}(?:, metadata=\{{{_METADATA}\}}{_BUT_METADATA})?"
"""A run of ``, name=value`` in the usual case, whose names are all known."""

_APPLYING = (
    "all-reduce",
    "all-reduce-start",
    "call",
    "map",
    "reduce",
    "reduce-scatter",
    "reduce-window",
    "scatter",
    "sort",
)
REQUIRED = {
    **dict.fromkeys(_APPLYING, ("to_apply",)),
    "fusion": ("calls",),
    "while": ("condition", "body"),
    "select-and-scatter": ("select", "scatter"),
    "custom-call": ("custom_call_target",),
}
"""The attributes that tell what an instruction calls, and without which XLA takes none."""

_TYPES = """
pred s1 s2 s4 s8 s16 s32 s64 u1 u2 u4 u8 u16 u32 u64 f16 bf16 f32 f64 c64 c128 token opaque f4e2m1fn f8e3m4 f8e4m3
f8e4m3b11fnuz f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz f8e8m0fnu
"""
_LAYOUT = r"\{[\d,]*(?::(?:[TELS]?\([\d,*]*\))+)?\}"
_SIZE = r"(?:<=)?\d{1,18}"
_ARRAY = rf"(?:{'|'.join(sorted(_TYPES.split(), reverse=True))})\[(?:{_SIZE}(?:, ?{_SIZE})*)?\](?:{_LAYOUT})?"
_SHAPE = re.compile(rf"(?:[(),]|\s+|{COMMENT}|{_ARRAY})*", re.ASCII)
_PAIRS = re.compile(rf"\{{\s*+(?:{NAME}\s*+=\s*+{VALUE}[\s,]*+)*+\}}", re.ASCII)
_PATTERNS = {name: re.compile(pattern, re.ASCII) for name, pattern in _FIELDS.items()}


def is_usual_shape(shape: str) -> bool:
    """Whether all types, sizes and layouts in a shape are such as XLA prints."""
    return _SHAPE.fullmatch(shape) is not None


def wrong_words(opcode: str, attributes: str) -> Iterator[str]:
    """What is wrong with the attributes of an instruction, as XLA's parser sees it: unknown, doubled and missing ones."""
    found = list(pairs(attributes))
    yield from _unknown(found, ATTRIBUTES, "attribute")
    names = {name for name, _ in found}
    for name in REQUIRED.get(opcode, ()):
        if name not in names:
            yield f"lacks the attribute '{name}', which {opcode} requires"
    if opcode == "conditional" and not names & {"branch_computations", "true_computation"}:
        yield "lacks the attribute 'branch_computations', which conditional requires"
    for name, value in found:
        if name == "metadata":
            yield from _wrong_metadata(value)


def _wrong_metadata(value: str) -> Iterator[str]:
    if not _PAIRS.fullmatch(value):
        yield "has metadata that is not a list of name=value in braces"
        return
    fields = list(pairs(value[1 : group_end(value, 0) - 1]))
    yield from _unknown(fields, _PATTERNS, "field of metadata")
    for name, written in fields:
        if name in _PATTERNS and not _PATTERNS[name].fullmatch(written):
            yield f"has an invalid value of '{name}' in its metadata"


def _unknown(
    found: list[tuple[str, str]], known: frozenset[str] | dict[str, re.Pattern[str]], what: str
) -> Iterator[str]:
    for name, times in Counter(name for name, _ in found).items():
        if name not in known:
            yield f"has the {what} {name[:60]!r}, which this version does not know"
        elif times > 1:
            yield f"has the {what} {name!r} twice"
