"""Prints a check as GitHub's workflow commands, which put its words beside the lines of a pull request."""

from __future__ import annotations

from ltc_ir.escape import escape, escape_message
from ltc_ir.records.check import NOTED, Check, Problem, ProgramCheck
from ltc_ir.records.vocabulary import NO_SOURCE
from ltc_ir.render.words.check import message, name_of, ranked, summary, verdict

MOST = 10
"""Annotations of one kind that GitHub shows of a step."""


def check_to_github(check: Check, below: str = "") -> str:
    """At most ten errors, worst first, one a program; as many notices of what passes with a note; then all in one notice.

    Programs that match without a note have nothing beside a line; the job summary tells of every program. ``below`` is the
    project's folder in the repository, with a slash behind it: annotations want paths that begin there.
    """
    order = ranked(check.checks, check.strict)
    errors = [_problem(problem) for problem in check.problems]
    errors += [_annotation("error", program, below) for program in order if program.exit_code(check.strict)]
    notices = [
        _annotation("notice", program, below)
        for program in order
        if not program.exit_code(check.strict) and (program.status in NOTED or program.notes)
    ]
    notices += [
        _command("notice", {"title": "ltc-ir rules"}, f"{escape_message(note.message)}\n{escape_message(note.hint)}")
        for note in check.notes
    ]
    left = len(errors) - MOST
    more = f"; {left} more not shown here, see the job summary" if left > 0 else ""
    text = _command("notice", {"title": "ltc-ir snapshot check"}, summary(check) + more)
    return "".join(line + "\n" for line in [*errors[:MOST], *notices[: MOST - 1], text])


def _annotation(kind: str, program: ProgramCheck, below: str) -> str:
    where = _place(program, below)
    return _command(kind, {**where, "title": f"{name_of(program)}: {verdict(program)}"}, "\n".join(message(program)))


def _problem(problem: Problem) -> str:
    words = f"{escape_message(problem.message)}\nhint: {escape_message(problem.hint)}"
    return _command("error", {"title": "ltc-ir rules"}, words)


def _place(program: ProgramCheck, below: str) -> dict[str, str]:
    """File and line of the worst change that has a source of its own."""
    changes = sorted(program.changes, key=lambda change: not change.fails)
    for source in (source for change in changes for source in change.sources if source != NO_SOURCE):
        file, colon, line = source.rpartition(":")
        if colon and line.isdecimal():
            return {"file": escape(below + file), "line": line}
    return {}


def _command(kind: str, properties: dict[str, str], text: str) -> str:
    """A workflow command by the escaping rules of GitHub's own toolkit."""
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {listed}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
