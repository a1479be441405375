"""Markdown pages made by hypothesis: every kind of block, nested, and longer than a passage may be."""

import re

from hypothesis import strategies as st

word = st.sampled_from([
    "lamp", "hub", "naïve", "中文", "x_1", "end.", "Stop!", "(see", "a,b", "`co de`",
    "**bold**", "~~~", "- x", "[l](/u)", "#", "1.",
])  # fmt: skip
sentence = st.lists(word, min_size=1, max_size=260).map(" ".join).filter(lambda text: not re.match(r"[-#~1]", text))
code_line = st.lists(st.sampled_from(["let", "a=1;", "## no", "~~~", "``", "foo(bar)", "{", "}"]), max_size=30).map(" ".join)
fence = st.tuples(
    st.sampled_from(["```", "````", "~~~~"]),
    st.sampled_from(["", "js", 'py title="x"']),
    st.lists(code_line, min_size=1, max_size=60),
).map(lambda parts: f"{parts[0]}{parts[1]}\n" + "\n".join(parts[2]) + f"\n{parts[0]}")
heading = st.tuples(st.integers(1, 6), st.sampled_from(["Setup", "Run `it`", "!!!", "Größe"])).map(
    lambda parts: "#" * parts[0] + " " + parts[1]
)
table = st.lists(st.lists(st.sampled_from(["a", "b c", "`d`"]), min_size=2, max_size=2), min_size=1, max_size=60).map(
    lambda rows: "| h1 | h2 |\n| --- | --- |\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)
)
block = st.one_of(sentence, fence, heading, table)


def indented(text: str, first: str, further: str) -> str:
    return first + text.replace("\n", "\n" + further)


listed = st.lists(block, min_size=1, max_size=4).map(lambda blocks: "\n".join(indented(one, "- ", "  ") for one in blocks))
quoted = st.lists(block, min_size=1, max_size=3).map(lambda blocks: indented("\n\n".join(blocks), "> ", "> "))
nested = listed.map(lambda text: indented(text, "1. ", "   "))
documents = st.lists(st.one_of(block, listed, quoted, nested), max_size=8).map("\n\n".join)
