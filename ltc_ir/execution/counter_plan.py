"""Plans which regions of a jaxpr are counted while it runs: a tree of call paths with counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.execution.trip_counts import Dynamics, Run, called, chosen_branch, is_choice

MOST_PATHS = 4096
"""The most call paths: each has its own counter, and all of them are carried through every loop."""
LOOPS = frozenset({"scan", "while.cond", "while.body"})


class UncountableError(Exception):
    """The runs of a program cannot be measured; the message gives the reason."""


class CounterPlace(NamedTuple):
    """The place of a counter: a position in the vector of a space (0 is the program, others one ``shard_map`` each)."""

    space: int
    position: int


@dataclass(eq=False)
class Choice:
    """A scalar that a body's ``select_n`` choose by: the equation that does first, and how often it was true."""

    node: Node
    eqn: Any
    counter: CounterPlace


@dataclass(eq=False)
class Node:
    """A jaxpr on one call path.

    ``times`` is how often it runs in one run of its parent, unless a ``counter`` counts it. ``inner`` are the nodes of its
    equations, by position; ``refused`` holds the reasons for equations that need nodes and have none. ``arguments``
    maps its variables to those of its parent, where it is called and not repeated.
    """

    holder: Any
    parent: Node | None = None
    position: int = 0
    label: str = ""
    kind: str = "main"
    times: int = 1
    counter: CounterPlace | None = None
    space: int = 0
    inner: dict[int, list[Node]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    choices: dict[Any, Choice] = field(default_factory=dict)
    arguments: dict[Any, Any] = field(default_factory=dict)
    followed: bool = False

    @property
    def jaxpr(self) -> Any:
        """The jaxpr with the equations."""
        return compat.open_jaxpr(self.holder)

    @property
    def eqn(self) -> Any:
        """The equation of the parent that runs it."""
        return None if self.parent is None else self.parent.jaxpr.eqns[self.position]

    @property
    def looped(self) -> bool:
        """Whether it is a loop's body, or is called within one."""
        return self.kind in LOOPS or (self.parent is not None and self.parent.looped)

    def nodes(self) -> Iterator[Node]:
        """The node itself and all below it."""
        yield self
        for inner in self.inner.values():
            for node in inner:
                yield from node.nodes()


@dataclass(eq=False)
class Plan:
    """The tree, and how many counters each space has; ``devices`` of a space run it, ``axes`` of the mesh tell them apart."""

    main: Node
    sizes: list[int] = field(default_factory=lambda: [0])
    devices: list[int] = field(default_factory=lambda: [1])
    paths: int = 0

    def counter(self, space: int) -> CounterPlace:
        """A new counter."""
        self.sizes[space] += 1
        return CounterPlace(space, self.sizes[space] - 1)


class Planner:
    """The state of one planning."""

    def __init__(self, closed: Any, types: tuple[type, ...], platform: str) -> None:
        self.dynamics = Dynamics(types, platform)
        self.platform = platform
        self.plan = Plan(Node(closed))

    def make_plan(self) -> Plan:
        """The whole plan.

        Raises:
            UncountableError: there are too many call paths.
        """
        self.follow(self.plan.main)
        return self.plan

    def follow(self, node: Node) -> None:
        """Plan the equations of a node, which are then interpreted; where nothing inside needs counting they are bound."""
        self.plan.paths += 1
        if self.plan.paths > MOST_PATHS:
            raise UncountableError(
                f"there are more than {MOST_PATHS:,} call paths with a loop or a branch of their own"
            )
        node.followed = True
        for position, eqn in enumerate(node.jaxpr.eqns):
            if is_choice(eqn) and node.looped:
                self.choose(node, eqn)
            self.equation(node, position, eqn)

    def equation(self, node: Node, position: int, eqn: Any) -> None:
        """Plan one equation, if what it runs needs counting."""
        inside = self.dynamics.runs(eqn)
        if not inside:
            return
        if self.dynamics.equation(eqn):
            self.region(node, position, eqn, inside)
        elif node.looped and any(called(eqn) == run.label for run in inside):
            run = next(run for run in inside if called(eqn) == run.label)
            if self.dynamics.chooses(run.jaxpr) and eqn.primitive.name != "shard_map":
                self.call(node, position, run)
            else:
                self.passed_on(node, position, run)

    def region(self, node: Node, position: int, eqn: Any, inside: list[Run]) -> None:
        """Plan an equation that is, or holds, a region whose runs must be measured."""
        name = eqn.primitive.name
        if name == "while":
            self.loop(node, position, eqn)
        elif name == "cond" and chosen_branch(eqn, self.platform) is None:
            self.branches(node, position, inside)
        elif name == "shard_map":
            self.sharded(node, position, eqn, inside[0])
        else:
            for run in inside:
                if run.times and self.dynamics.holds(run.jaxpr):
                    self.call(node, position, run, "scan" if name == "scan" else "call")

    def call(self, node: Node, position: int, run: Run, kind: str = "call") -> None:
        """Plan a jaxpr that runs a fixed number of times and contains one that does not."""
        child = Node(run.jaxpr, node, position, run.label, kind, run.times or 1, space=node.space)
        if kind == "call" and len(child.jaxpr.invars) == len(child.eqn.invars):
            child.arguments = dict(zip(child.jaxpr.invars, child.eqn.invars, strict=True))
        node.inner[position] = [child]
        self.follow(child)

    def loop(self, node: Node, position: int, eqn: Any) -> None:
        """Plan a ``while``: a counter for its body; its condition runs once more than that for each time it is entered."""
        condition = Node(eqn.params["cond_jaxpr"], node, position, "cond_jaxpr", "while.cond", space=node.space)
        body = Node(eqn.params["body_jaxpr"], node, position, "body_jaxpr", "while.body", space=node.space)
        body.counter = self.plan.counter(node.space)
        node.inner[position] = [condition, body]
        self.follow(body)
        if self.dynamics.holds(condition.holder):
            self.follow(condition)

    def branches(self, node: Node, position: int, inside: list[Run]) -> None:
        """Plan a ``cond``: a counter for each branch, next to each other."""
        nodes = [Node(run.jaxpr, node, position, run.label, "branch", space=node.space) for run in inside]
        for branch in nodes:
            branch.counter = self.plan.counter(node.space)
        node.inner[position] = nodes
        for branch in nodes:
            if self.dynamics.holds(branch.holder):
                self.follow(branch)

    def sharded(self, node: Node, position: int, eqn: Any, run: Run) -> None:
        """Plan a ``shard_map`` whose devices may run differently: each has its own counters."""
        if node.space:
            node.refused[position] = "what runs on each device of a shard_map within a shard_map cannot be told apart"
            return
        space = len(self.plan.sizes)
        self.plan.sizes.append(0)
        sizes = dict(eqn.params["mesh"].shape)
        devices = 1
        for axis in compat.manual_axes(eqn):
            devices *= sizes[axis]
        self.plan.devices.append(devices)
        child = Node(run.jaxpr, node, position, run.label, "shard_map", space=space)
        node.inner[position] = [child]
        self.follow(child)

    def choose(self, node: Node, eqn: Any) -> None:
        """Count a scalar that chooses, once per body: in the caller's body where it comes from there."""
        home, variable = node, eqn.invars[0]
        while home.parent is not None and variable in home.arguments:
            home, variable = home.parent, home.arguments[variable]
            if hasattr(variable, "val"):
                return
        if variable not in home.choices:
            home.choices[variable] = Choice(node, eqn, self.plan.counter(home.space))

    def passed_on(self, node: Node, position: int, run: Run) -> None:
        """Count a scalar that is passed to a call and chooses there."""
        callee = Node(run.jaxpr, node, position, run.label)
        callee.arguments = dict(zip(callee.jaxpr.invars, callee.eqn.invars, strict=True))
        for inner in callee.jaxpr.eqns:
            if is_choice(inner) and inner.invars[0] in callee.arguments:
                self.choose(callee, inner)


def make_plan(closed: Any, types: tuple[type, ...], platform: str) -> Plan:
    """The plan of a closed jaxpr for a platform."""
    return Planner(closed, types, platform).make_plan()
