"""Prints a check as JUnit XML, which every CI system reads: a test case a program, valid whatever an operation is called."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ltc_ir.escape import capped, escape, escape_message
from ltc_ir.records.check import Check, Problem, ProgramCheck
from ltc_ir.render.words.check import message, tells, verdict


def check_to_junit(check: Check) -> str:
    """The check as one test suite: a broken check is a failure; what could not be checked at all an error, never a pass."""
    suite = Element("testsuite", name="ltc-ir snapshot check")
    for program in check.checks:
        _program(suite, program, check.strict)
    for problem in check.problems:
        _problem(suite, problem)
    for note in check.notes:
        words = f"{escape_message(note.message)}\n{escape_message(note.hint)}"
        SubElement(_case(suite, "rules", note.message), "system-out").text = words
    for what, why in check.unchecked.items():
        SubElement(_case(suite, "not checked", what), "skipped", message=escape_message(why))
    suite.set("tests", str(len(suite)))
    for found, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{found}"))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, target: str, program: str) -> Element:
    return SubElement(suite, "testcase", classname=escape(target), name=escape(capped(program)))


def _program(suite: Element, check: ProgramCheck, strict: bool) -> None:
    case = _case(suite, check.target, check.program)
    code, lines = check.exit_code(strict), message(check)
    if code:
        element = SubElement(case, "failure" if code == 1 else "error", message=lines[0], type=verdict(check))
        element.text = "\n".join(lines)
    elif tells(check):
        SubElement(case, "system-out").text = "\n".join(lines)


def _problem(suite: Element, problem: Problem) -> None:
    case = _case(suite, "rules", problem.message)
    element = SubElement(
        case, "failure" if problem.code == 1 else "error", message=escape_message(problem.message), type="rules"
    )
    element.text = f"{escape_message(problem.message)}\nhint: {escape_message(problem.hint)}"
