"""Where the numbers of a recipe come from, as the comments of its YAML file say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import yaml

Place = tuple[str | int, ...]
OURS = "ours"
_UNITS = re.compile(r"^(A2?|rad|mrad|px|eV|e/A2|g/cm3|1/A2|Nyquist frequencies)\b,?\s*")
_PAPER = re.compile(r"([A-Z][\w-]+ et al\.), [^()\":;]*\((\d{4})\)")


def sources(text: str) -> dict[Place, str]:
    """Source of every parameter of a recipe, by its place in the file, with what the comment says besides.

    The first word of "paper", "code" and "ours" in the comment of a line counts; without one the numbers are ours. "... : paper"
    is a remark on something else than the numbers, and so is "paper: ..." on a line of several parameters, which cannot say of
    which. A line without a comment takes that of the mapping in which it stands.
    """
    remarks = comments(text)
    cited = _PAPER.search(" ".join(line.lstrip("# ") for line in text.split("\nname:")[0].splitlines()))
    paper = f"{cited[1]} ({cited[2]})" if cited else "paper"
    found = list(places(text))
    on_line = Counter(line for place, line, _ in found if place[-1] != "probability")
    return {
        place: _source(remarks.get(line) or remarks.get(above, ""), paper, several=on_line[line] > 2)
        for place, line, above in found
    }


def effects(found: Iterable[Place], stage: str) -> list[Place]:
    """Places of the effects of a stage in their order, alternatives of a ``one_of`` each for itself."""
    other = ("one_of", "weights", "probability")
    return [
        place for place in found if len(place) > 2 and place[0] == stage and place[-2] in range(1000) and place[-1] not in other
    ]


def comments(text: str) -> dict[int, str]:
    """The comment at the end of each line that holds something else too, without its mark."""
    last: dict[int, int] = {}
    for token in yaml.scan(text):
        if token.end_mark.index > token.start_mark.index:
            last[token.end_mark.line] = token.end_mark.column
    lines = text.splitlines()
    return {line: lines[line][end:].strip().lstrip("# ") for line, end in last.items() if "#" in lines[line][end:]}


def places(text: str) -> Iterator[tuple[Place, int, int]]:
    """Every key of a YAML file: its place, its line, and the line of the key above it."""
    yield from _below(yaml.compose(text), (), -1)


def _below(node: yaml.Node, place: Place, above: int) -> Iterator[tuple[Place, int, int]]:
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _below(entry, (*place, number), above)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line
            yield (*place, key.value), line, above
            yield from _below(value, (*place, key.value), line)


def _source(comment: str, paper: str, *, several: bool) -> str:
    remark = _UNITS.sub("", comment).strip()
    if remark.startswith("(") and remark.count("(") == 1 and remark.endswith(")"):
        remark = remark[1:-1]
    remark = remark.lstrip("; ")
    partial = re.compile(r"[^;]+: paper|paper: " if several else r"[^;]+: paper")
    first = re.search(r"\b(paper|code|ours)\b", remark)
    named = OURS if first is None or partial.match(remark) else first[1]
    # The word alone, or at the head of the remark, need not be said twice.
    remark = re.sub(rf"^(?:{named}|range paper)\b[;:,]?\s*", "", remark).removesuffix(f"({named})").strip("; ")
    source = {"paper": paper, "code": f"{paper}, code"}.get(named, OURS)
    return f"{source}; {remark}" if remark else source
