"""Finds regular expressions that backtrack more than linearly, by how many ways they have to read one text.

A pattern becomes its position automaton: a state for each character that it reads. It is exponential when a state can be
left and reached again over the same text in two ways, polynomial when a text can be shared out between two loops that
follow each other (Weber and Seidl, "On the degree of ambiguity of finite automata", 1991). For `search` and its kin the
beginning is a loop too, since the engine starts again at each character.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

ALPHABET = [*map(chr, range(256)), "\u2028", "\u0663", "\u65e5", "\ud800"]
LOOP = 10
"""A repetition that may differ by so many rounds is taken for one without end."""
COPIES = 2
"""Of a counted repetition so many rounds are looked at; ambiguity shows in the first ones."""
EVERYTHING = (1 << len(ALPHABET)) - 1
BEGINNING, CONDITION = 1 << len(ALPHABET), 2 << len(ALPHABET)
"""What anchors and conditions read: no character, so that they may fail whatever the text is."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a piece of a pattern begins and ends with (states), and whether it may be empty."""

    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    empty: bool = True


@dataclass(slots=True)
class _Automaton:
    reads: list[int] = field(default_factory=list)
    """For each state the set of characters that lead to it, as bits."""
    follows: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How many ways lead from one state to another."""

    def state(self, characters: int) -> _Part:
        self.reads.append(characters)
        here = frozenset({len(self.reads) - 1})
        return _Part(here, here, False)

    def join(self, last: Iterable[int], first: Iterable[int]) -> None:
        first = tuple(first)
        self.follows.update((one, other) for one in last for other in first)


def ambiguity(pattern: str | bytes, flags: int = 0, *, searched: bool = False) -> str:
    """Return "exponential", "polynomial", or "" for a pattern that is matched in one pass."""
    compiled = re.compile(pattern, flags)
    automaton = _Automaton()
    tree = sre_parser.parse(pattern, flags)
    builder = _Builder(automaton, compiled.flags, isinstance(pattern, bytes))
    whole = builder.sequence(tree)
    ways = Counter(automaton.follows)
    after: dict[int, list[int]] = {state: [] for state in range(len(automaton.reads))}
    for one, other in ways:
        after[one].append(other)
    loops = _components(after)
    inside = {state: number for number, loop in enumerate(loops) for state in loop}
    if any(
        count > 1 and inside.get(a) is not None and inside.get(a) == inside.get(b) for (a, b), count in ways.items()
    ):
        return "exponential"
    if _is_exponential(after, automaton.reads):
        return "exponential"
    if _is_polynomial(after, automaton.reads, loops):
        return "polynomial"
    return (
        "polynomial"
        if searched and _restarts(after, automaton.reads, loops, whole, EVERYTHING & ~builder.not_behind)
        else ""
    )


class _Builder:
    def __init__(self, automaton: _Automaton, flags: int, is_bytes: bool) -> None:
        self._automaton, self._flags, self._is_bytes = automaton, flags, is_bytes
        self.not_behind = 0
        """Characters after which the pattern does not begin."""

    def sequence(self, tree: Iterable[tuple[Any, Any]]) -> _Part:
        whole = _Part()
        for operation, argument in tree:
            whole = self._then(whole, self._piece(operation, argument))
        return whole

    def _then(self, one: _Part, other: _Part) -> _Part:
        self._automaton.join(one.last, other.first)
        return _Part(
            one.first | other.first if one.empty else one.first,
            one.last | other.last if other.empty else other.last,
            one.empty and other.empty,
        )

    def _piece(self, operation: Any, argument: Any) -> _Part:
        if operation in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            return self._automaton.state(self._characters(operation, argument))
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(*argument)
        if operation is sre.SUBPATTERN:
            return self.sequence(argument[3])
        if operation is sre.BRANCH:
            return self._either([self.sequence(branch) for branch in argument[1]])
        if operation is sre.GROUPREF_EXISTS:
            return self._either([self.sequence(branch or ()) for branch in argument[1:]])
        if operation in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
            return self._condition(operation, argument)
        if operation in (sre.ATOMIC_GROUP, sre.POSSESSIVE_REPEAT):
            return self._atomic(operation, argument)
        raise ValueError(f"not understood, so not allowed: {operation}")

    def _condition(self, operation: Any, argument: Any) -> _Part:
        if operation is sre.AT:
            if argument in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
                return _Part()
            at_beginning = argument in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING)
            return self._automaton.state(BEGINNING if at_beginning else CONDITION)
        direction, tree = argument
        if direction > 0:
            return self._automaton.state(CONDITION)
        if operation is sre.ASSERT_NOT and not self._automaton.reads and len(tree) == 1:
            self.not_behind = self._characters(*tree[0])
        return _Part()

    def _atomic(self, operation: Any, argument: Any) -> _Part:
        """Never entered again, so read as one state that may come once."""
        inner = argument if operation is sre.ATOMIC_GROUP else argument[2]
        made = self._automaton
        kept = len(made.reads)
        part = self.sequence(inner)
        characters = 0
        for state in range(kept, len(made.reads)):
            characters |= made.reads[state]
        empty = part.empty or (operation is sre.POSSESSIVE_REPEAT and argument[0] == 0)
        once = made.state(characters)
        return _Part(once.first, once.last, empty)

    def _either(self, parts: Sequence[_Part]) -> _Part:
        return _Part(
            frozenset().union(*(part.first for part in parts)),
            frozenset().union(*(part.last for part in parts)),
            any(part.empty for part in parts),
        )

    def _repeat(self, least: int, most: int, tree: Any) -> _Part:
        whole = _Part()
        loop = most - least >= LOOP
        for _ in range(min(least - 1 if loop else least, COPIES)):
            whole = self._then(whole, self.sequence(tree))
        if loop:
            part = self.sequence(tree)
            self._automaton.join(part.last, part.first)
            return self._then(whole, _Part(part.first, part.last, part.empty or least == 0))
        for _ in range(min(most - least, COPIES)):
            part = self.sequence(tree)
            whole = self._then(whole, _Part(part.first, part.last, True))
        return whole

    def _characters(self, operation: Any, argument: Any) -> int:
        if operation is sre.ANY:
            return EVERYTHING if self._flags & re.DOTALL else EVERYTHING & ~(1 << ALPHABET.index("\n"))
        tests = [(operation, argument)] if operation is not sre.IN else list(argument)
        negated = tests[0][0] is sre.NEGATE
        found = 0
        for place, character in enumerate(ALPHABET):
            seen = any(self._is_in(character, *test) for test in tests if test[0] is not sre.NEGATE)
            found |= (seen != negated) << place
        return found

    def _is_in(self, character: str, operation: Any, argument: Any) -> bool:
        codes = {ord(character)}
        if self._flags & re.IGNORECASE:
            codes |= {ord(other) for other in (character.lower(), character.upper()) if len(other) == 1}
        if operation is sre.LITERAL:
            return argument in codes
        if operation is sre.NOT_LITERAL:
            return argument not in codes
        if operation is sre.RANGE:
            return any(argument[0] <= code <= argument[1] for code in codes)
        return self._is_of(argument, character)

    def _is_of(self, category: Any, character: str) -> bool:
        letter = {sre.CATEGORY_DIGIT: "d", sre.CATEGORY_SPACE: "s", sre.CATEGORY_WORD: "w"}
        negative = {sre.CATEGORY_NOT_DIGIT: "D", sre.CATEGORY_NOT_SPACE: "S", sre.CATEGORY_NOT_WORD: "W"}
        plain = self._is_bytes or bool(self._flags & re.ASCII)
        return bool(re.match("\\" + (letter | negative)[category], character, re.ASCII if plain else 0))


def _components(  # noqa: C901 - the textbook's algorithm in one piece
    after: dict[Any, list[Any]],
) -> list[set[Any]]:
    """The sets of states from each of which every other one and itself can be reached again (Tarjan, without recursion)."""
    index: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    on_stack: set[Any] = set()
    found: list[set[Any]] = []
    for root, successors in after.items():
        if root in index:
            continue
        work = [(root, iter(successors))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            state, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[state])
                if low[state] == index[state]:
                    loop: set[Any] = set()
                    while state not in loop:
                        loop.add(stack.pop())
                    on_stack -= loop
                    if len(loop) > 1 or state in after[state]:
                        found.append(loop)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(after[following])))
            elif following in on_stack:
                low[state] = min(low[state], index[following])
    return found


def _is_exponential(after: dict[int, list[int]], reads: list[int]) -> bool:
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    waiting = [(state, state) for state in after]
    while waiting:
        pair = waiting.pop()
        if pair not in pairs:
            pairs[pair] = [(a, b) for a in after[pair[0]] for b in after[pair[1]] if reads[a] & reads[b]]
            waiting += pairs[pair]
    return any(
        any(a == b for a, b in loop) and any(a != b for a, b in loop) for loop in _components(pairs) if len(loop) > 1
    )


def _is_polynomial(after: dict[int, list[int]], reads: list[int], loops: list[set[int]]) -> bool:
    return any(
        _shares(after, reads, (p, p, q), (p, q, q), one, other)
        for one in loops
        for other in loops
        if one is not other
        for p in one
        for q in other
    )


def _shares(
    after: dict[int, list[int]],
    reads: list[int],
    begin: tuple[int, int, int],
    end: tuple[int, int, int],
    one: set[int],
    other: set[int],
) -> bool:
    """Whether one text leads around the first loop, from it into the second, and around the second."""
    seen, waiting = {begin}, deque([begin])
    while waiting:
        x, y, z = waiting.popleft()
        for a in after[x]:
            for b in after[y]:
                for c in after[z]:
                    if a in one and c in other and reads[a] & reads[b] & reads[c] and (a, b, c) not in seen:
                        if (a, b, c) == end:
                            return True
                        seen.add((a, b, c))
                        waiting.append((a, b, c))
    return False


def _restarts(after: dict[int, list[int]], reads: list[int], loops: list[set[int]], whole: _Part, before: int) -> bool:
    """Whether a text exists in which a search begins anew at each character and reads on to the end each time."""
    start = len(reads)
    extended = {**after, start: [start, start + 1], start + 1: [*whole.first]}
    wide = [*reads, EVERYTHING, before]
    return any(
        _shares(extended, wide, (start, start, q), (start, q, q), {start}, loop)
        for loop in loops
        if not loop & whole.last  # what may end here has matched, and the search goes on behind it
        for q in loop
    )
