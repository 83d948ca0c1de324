"""Prints a check as JUnit XML, which every CI system reads: a test case a program, valid whatever an operation is called."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ltc_ir.records.check import Check, Problem, ProgramCheck
from ltc_ir.render.words.check import message, tells, verdict
from ltc_ir.render.words.text import plain


def check_to_junit(check: Check) -> str:
    """The check as one test suite: a broken check is a failure; what could not be checked at all an error, never a pass."""
    suite = Element("testsuite", name="ltc-ir snapshot check")
    for one in check.checks:
        _program(suite, one, check.strict)
    for problem in check.problems:
        _problem(suite, problem)
    for what, why in check.unchecked.items():
        SubElement(_case(suite, "not checked", what), "skipped", message=plain(why))
    suite.set("tests", str(len(suite)))
    for found, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{found}"))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, target: str, program: str) -> Element:
    return SubElement(suite, "testcase", classname=plain(target), name=plain(program))


def _program(suite: Element, one: ProgramCheck, strict: bool) -> None:
    case = _case(suite, one.target, one.program)
    code, told = one.exit_code(strict), message(one)
    if code:
        found = SubElement(case, "failure" if code == 1 else "error", message=told[0], type=verdict(one))
        found.text = "\n".join(told)
    elif tells(one):
        SubElement(case, "system-out").text = "\n".join(told)


def _problem(suite: Element, problem: Problem) -> None:
    case = _case(suite, "rules", problem.message)
    found = SubElement(case, "failure" if problem.code == 1 else "error", message=plain(problem.message), type="rules")
    found.text = f"{plain(problem.message)}\nhint: {plain(problem.hint)}"
