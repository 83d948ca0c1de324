"""Random snapshots with the oddest names, for Hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from ltc_ir.records.snapshot import (
    IN_PROCESS,
    TWICE,
    Acceptance,
    HloFacts,
    Identity,
    LevelFacts,
    Provenance,
    Snapshot,
)
from ltc_ir.records.vocabulary import Phase

texts = st.text(
    st.characters() | st.sampled_from('"\\\n\r\t\x00\x1a\x7f\x85\u2028\u202e=[]#.@é\ud800\udfff😀'), max_size=12
)
"""Any text, lone surrogates and all that an editor or TOML could stumble on."""
counts = st.dictionaries(texts, st.integers(1, 2**70), max_size=4)
phases = st.sampled_from([phase.value for phase in Phase])
hashes = st.text("0123456789abcdef", min_size=8, max_size=32)
unstable_names = st.one_of(
    st.just("fingerprint"),
    st.builds("op|{}|{}|{}".format, phases, texts, texts),
    st.builds("type|{}|{}".format, phases, texts),
    st.builds("metric|{}".format, texts),
)
facts = st.builds(
    LevelFacts,
    ops=st.dictionaries(st.tuples(phases, texts), counts.filter(bool), max_size=4),
    types=st.dictionaries(phases, counts.filter(bool), max_size=3),
    metrics=st.dictionaries(texts, st.integers(0, 2**70), max_size=3),
    fingerprint=st.none() | hashes,
    unstable=st.lists(unstable_names, max_size=3, unique=True).map(lambda names: tuple(sorted(names))),
)


def whole(level: str, made: LevelFacts) -> LevelFacts:
    """Facts as a file must have them: what they lack is said to be unstable, or filled in."""
    unstable = made.unstable if made.fingerprint is not None else tuple(sorted({*made.unstable, "fingerprint"}))
    needed = {"lines": 1, "constants.embedded.bytes": 0} if level == "stablehlo" else {}
    return replace(made, unstable=unstable, metrics=needed | dict(made.metrics))


snapshots = st.builds(
    Snapshot,
    target=texts,
    program=texts,
    identity=st.builds(
        Identity,
        jax=st.from_regex(r"[0-9]\.[0-9]{1,2}", fullmatch=True),
        platform=texts,
        devices=st.integers(1, 4096),
        x64=st.booleans(),
        config=st.dictionaries(texts, texts, max_size=2),
        declaration=texts,
        arguments=texts,
    ),
    provenance=st.builds(Provenance, texts, texts),
    levels=st.fixed_dictionaries({name: st.builds(whole, st.just(name), facts) for name in ("jaxpr", "stablehlo")}),
    hlo=st.none() | st.builds(HloFacts, texts, texts, facts),
    accepted=st.lists(st.builds(Acceptance, texts, st.lists(texts, max_size=2).map(tuple)), max_size=2).map(tuple),
    captured=st.sampled_from([TWICE, IN_PROCESS]),
).map(lambda made: replace(made, provenance=Provenance(f"{made.identity.jax}.2", "0.10.2rc1")))
