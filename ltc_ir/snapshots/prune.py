"""Why a snapshot is of no more use: its target or its program is gone. What cannot be told is kept."""

from __future__ import annotations

import re

from ltc_ir.errors import LtcIrError, UsageError
from ltc_ir.files import project_root
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.snapshots.store import Store
from ltc_ir.snapshots.survey import TEST
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import program_names


def reason_to_prune(snapshot: Snapshot | LtcIrError, store: Store) -> str | None:
    """Why a file can go; ``None`` where it is of use, cannot be read, or its target fails for another reason."""
    if isinstance(snapshot, LtcIrError):
        return None
    if TEST in snapshot.target:
        return _of_test(snapshot.target)
    try:
        target = prepare.resolve(store.findable(snapshot.target))
    except UsageError as error:
        return error.message if _is_gone(error) else None
    except LtcIrError:
        return None
    names = program_names(target)
    return None if snapshot.program in names else f"{snapshot.target} has no program {snapshot.program!r} any more"


def _is_gone(error: UsageError) -> bool:
    return error.message.startswith(("unknown target", "no module", "no file")) or " has no '" in error.message


def _of_test(target: str) -> str | None:
    """A test whose file is gone, or holds no test of that name any more, has no use for its snapshot."""
    file, _, rest = target.partition(TEST)
    path = project_root() / file
    if not path.is_file():
        return f"no file {file}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    names = [part.partition("[")[0] for part in rest.split(TEST)]
    return None if any(_may_hold(text, name) for name in names) else f"{file} has no test {rest} any more"


def _may_hold(text: str, name: str) -> bool:
    """Whether a file defines a test of that name, or may have it from elsewhere: imported, or of a class that inherits."""
    word = re.escape(name)
    pattern = rf"\bdef {word}\b|\bclass {word}\(|^\s*(from|import)\b.*(\b{word}\b|\*)|^\s+{word},"
    return re.search(pattern, text, re.MULTILINE) is not None
