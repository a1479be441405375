"""A page is cut into passages: nothing lost, nothing too long, every fence whole."""

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chatbot_api.models.index_models import Passage
from generated_markdown import documents
from qdrant_indexer.chunks import LIMIT, passages_of
from qdrant_indexer.docusaurus import Heading, Page, Site, read_docs
from qdrant_indexer.headings import markdown_parser, plain_text, split_headings

RETRIEVAL = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
CORPORA = ["jest/source/docs", "playwright-python/source/docs", "fixture/site/docs"]
WORD = re.compile(r"\w+|[^\w\s]")


@pytest.fixture(scope="module", params=CORPORA)
def site(request: pytest.FixtureRequest) -> Site:
    if not RETRIEVAL.is_dir():
        pytest.skip("the development data (shared/retrieval beside the checkout) is missing")
    return site_of(request.param)


@pytest.fixture(scope="module")
def passages_by_page(site: Site) -> list[list[Passage]]:
    """Of each page of the site; cutting hundreds of real pages takes seconds."""
    return [passages_of(page, "site") for page in site.pages]


@cache
def site_of(folder: str) -> Site:
    return read_docs(RETRIEVAL / folder)


def page_of(markdown: str, **more: str) -> Page:
    text, headings = split_headings(markdown)
    return Page("page.md", "/docs/page", "Title", "", text, headings, **more)


def cut(markdown: str) -> list[Passage]:
    return passages_of(page_of(markdown), "site")


def size(text: str) -> int:
    return len(WORD.findall(text))


def words_shown(markdown: str) -> set[str]:
    """Words of text and code as a reader sees them."""
    words: set[str] = set()
    for token in markdown_parser().parse(markdown):
        if token.type == "inline":
            words |= set(re.findall(r"[^\W_]+", plain_text(token)))
        elif token.type in {"fence", "code_block"}:
            words |= set(re.findall(r"[^\W_]+", token.content))
    return words


def words_of_empty_leaves(page: Page, passages: list[Passage]) -> set[str]:
    """Words of headings that stand over no text at all: such sections are skipped by rule."""
    shown = {heading for passage in passages for heading in passage.heading_path}
    return {word for heading in page.headings if heading.text not in shown for word in re.findall(r"[^\W_]+", heading.text)}


def missing_words(page: Page, passages: list[Passage]) -> set[str]:
    found: set[str] = set()
    for passage in passages:
        found |= words_shown(passage.text) | set(
            re.findall(r"[^\W_]+", " ".join((passage.text, passage.title, *passage.heading_path)))
        )
    return words_shown(page.markdown) - found


def has_only_whole_fences(text: str) -> bool:
    lines = text.split("\n")
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence" and token.map:
            first, end = token.map
            if end - first < 2 or not lines[end - 1].strip(" >").startswith(token.markup):
                return False
    return True


# Real pages


def test_real_pages_lose_no_word_and_keep_the_limit_and_whole_fences(site: Site, passages_by_page: list[list[Passage]]) -> None:
    sizes: list[int] = []
    for page, passages in zip(site.pages, passages_by_page, strict=True):
        assert missing_words(page, passages) <= words_of_empty_leaves(page, passages), page.source
        assert all(has_only_whole_fences(passage.text) for passage in passages), page.source
        sizes += [size(passage.text) for passage in passages]
    print(f"{len(site.pages)} pages, {len(sizes)} passages, mean {sum(sizes) / len(sizes):.0f}, longest {max(sizes)}")
    assert max(sizes) <= LIMIT


def test_real_pages_have_unique_stable_ids_and_anchors_that_exist(site: Site, passages_by_page: list[list[Passage]]) -> None:
    passages = [passage for of_page in passages_by_page for passage in of_page]
    assert passages == [passage for page in site.pages for passage in passages_of(page, "site")]
    assert len({passage.id for passage in passages}) == len(passages)
    known = {(page.url, heading.anchor) for page in site.pages for heading in page.headings} | {
        (page.url, "") for page in site.pages
    }
    assert {(passage.url, passage.anchor) for passage in passages} <= known


# Sections


def test_sections_are_h2_to_h4_and_the_text_before_them_has_no_anchor() -> None:
    passages = cut("# Title\n\nBefore.\n\n## A\n\nIn a.\n\n### B\n\n#### C\n\nIn c.\n\n##### D\n\nIn d.\n\n## E\n\nIn e.\n")
    assert [(passage.anchor, passage.heading_path, passage.text) for passage in passages] == [
        ("", (), "Before."),
        ("a", ("A",), "In a."),
        ("c", ("A", "B", "C"), "In c.\n\n##### D\n\nIn d."),
        ("e", ("E",), "In e."),
    ]
    assert [passage.ordinal for passage in passages] == [0, 1, 2, 3]


def test_a_heading_without_id_is_cited_by_the_nearest_enclosing_one() -> None:
    page = Page(
        "p.md",
        "/p",
        "T",
        "",
        "## A\n\n### B\n\nText.\n\n## C\n\nMore.\n",
        (Heading(2, "A", "a"), Heading(3, "B", ""), Heading(2, "C", "")),
    )
    assert [(passage.anchor, passage.heading_path) for passage in passages_of(page, "s")] == [("a", ("A", "B")), ("", ("C",))]


def test_headings_in_quotes_and_lists_open_sections() -> None:
    passages = cut("Before.\n\n> Quoted.\n>\n> ## Q\n>\n> In q.\n\n1. ## L\n\n   In l.\n")
    assert [(passage.anchor, passage.text) for passage in passages] == [
        ("", "Before.\n\nQuoted."),
        ("q", "In q."),
        ("l", "In l."),
    ]


def test_an_h1_that_differs_from_the_title_is_not_lost() -> None:
    assert [passage.text for passage in cut("# Other name\n\nText.\n")] == ["# Other name\n\nText."]


def test_a_page_without_text_has_no_passages() -> None:
    assert cut("## Only\n\n### Headings\n\n---\n") == []


def test_ids_tell_site_version_locale_page_and_place_apart() -> None:
    text = "One.\n\n## B\n\nTwo.\n"
    variants = [
        (page_of(text), "s"),
        (page_of(text), "t"),
        (page_of(text, version="1.0"), "s"),
        (page_of(text, locale="fr"), "s"),
    ]
    passages = [passage for page, site_name in variants for passage in passages_of(page, site_name)]
    assert len({passage.id for passage in passages}) == 8
    assert len({passage.page_id for passage in passages}) == 3


# Packing


def test_blocks_are_packed_whole_and_a_label_stays_with_its_block() -> None:
    fence = "```js\n" + "\n".join(f"call{number};" for number in range(70)) + "\n```"
    first, second = cut("Lead. " + "word " * 90 + "\n\n**Async**\n\n" + fence + "\n")
    assert first.text.startswith("Lead.")
    assert second.text == "**Async**\n\n" + fence


def test_a_fence_over_the_limit_is_cut_at_line_ends_into_fences_of_the_same_kind() -> None:
    lines = [f"    value_{number} = call({number})" for number in range(120)]
    passages = cut('````py title="a.py"\n' + "\n".join(lines) + "\n````\n")
    assert len(passages) > 1
    assert all(passage.text.startswith('````py title="a.py"\n') and passage.text.endswith("\n````") for passage in passages)
    assert [line for passage in passages for line in passage.text.split("\n")[1:-1]] == lines


def test_a_code_line_over_the_limit_is_the_only_one_cut_within() -> None:
    passages = cut("```\n" + "short\n" + " ".join(f"w{number}" for number in range(500)) + "\n```\n")
    assert all(size(passage.text) <= LIMIT and has_only_whole_fences(passage.text) for passage in passages)
    assert re.findall(r"w\d+", " ".join(passage.text for passage in passages)) == [f"w{number}" for number in range(500)]


def test_a_paragraph_over_the_limit_is_cut_at_sentence_ends_outside_of_code() -> None:
    sentences = [f"Sentence {number} says `a. b. c` and [no. more](https://x.y/a.b) of it." for number in range(40)]
    passages = cut(" ".join(sentences))
    assert len(passages) > 1
    assert " ".join(passage.text for passage in passages) == " ".join(sentences)
    assert all(passage.text.endswith("of it.") for passage in passages)


def test_a_cut_paragraph_does_not_begin_a_list_or_a_fence() -> None:
    passages = cut("word " * 198 + "end. ~~~ not a fence. " + "word " * 150 + "end. - not a list")
    assert len(passages) > 1
    for passage in passages:
        assert {token.type for token in MarkdownIt("commonmark").parse(passage.text)} == {
            "paragraph_open",
            "inline",
            "paragraph_close",
        }


def test_a_table_over_the_limit_is_cut_between_rows_under_its_header() -> None:
    rows = [f"| `option_{number}` | what it does |" for number in range(60)]
    passages = cut("| Name | Meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    assert len(passages) > 1
    assert all(passage.text.startswith("| Name | Meaning |\n| --- | --- |\n| `option_") for passage in passages)
    assert [line for passage in passages for line in passage.text.split("\n")[2:]] == rows


def test_list_items_stay_whole_and_one_over_the_limit_is_cut_by_its_blocks() -> None:
    items = "\n".join(f"- item {number} with some more words in it" for number in range(40))
    assert all(line.startswith("- item") for passage in cut(items) for line in passage.text.split("\n"))
    long = "1. First " + "word " * 150 + "end.\n\n   ```js\n   " + "call(1);\n   " * 20 + "\n   ```\n"
    texts = [passage.text for passage in cut(long)]
    assert texts[0].startswith("1. First")
    assert texts[1].startswith("```js\ncall(1);")


def test_images_become_their_alternative_text_and_reference_links_their_own() -> None:
    (passage,) = cut(
        "![A lamp](a.png) on [Page], [the one][Page], [none] and `![x](y)`.\n\n- [Page]\\[[Page]\\]\n\n"
        "```\n[Page] ![a](b)\n```\n\n[Page]: /page\n"
    )
    assert passage.text == ("A lamp on Page, the one, [none] and `![x](y)`.\n\n- Page\\[Page\\]\n\n```\n[Page] ![a](b)\n```")


def test_links_within_the_site_become_their_text_and_others_stay() -> None:
    (passage,) = cut("[a `b`](/c#d) [e](f.md 'T') [![g](h.png)](/i) [j](https://k/l) [m](mailto:n@o) `[p](/q)` \\[r](/s)\n")
    assert passage.text == "a `b` e g [j](https://k/l) [m](mailto:n@o) `[p](/q)` \\[r](/s)"


# Any page


@settings(max_examples=150, deadline=None)
@given(documents)
def test_no_word_of_any_page_is_lost(markdown: str) -> None:
    page = page_of(markdown)
    passages = passages_of(page, "site")
    assert missing_words(page, passages) <= words_of_empty_leaves(page, passages)


@settings(max_examples=150, deadline=None)
@given(documents)
def test_passages_of_any_page_keep_the_limit_with_whole_fences_and_stable_unique_ids(markdown: str) -> None:
    passages = cut(markdown)
    assert all(0 < size(passage.text) <= LIMIT for passage in passages)
    assert all(has_only_whole_fences(passage.text) for passage in passages)
    assert passages == cut(markdown)
    assert len({passage.id for passage in passages}) == len(passages)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=2000))
def test_any_text_at_all_can_be_cut(markdown: str) -> None:
    page = page_of(markdown.replace("\x11", ""))
    passages = passages_of(page, "site")
    assert all(size(passage.text) <= LIMIT for passage in passages)
    assert len({passage.id for passage in passages}) == len(passages)
