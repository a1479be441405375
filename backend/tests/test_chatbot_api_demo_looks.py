"""The demo page in a real browser, its parts and looks: the event reader, the Markdown, contrast, sizes, screenshots."""

import json
import os
import time
from pathlib import Path

import pytest

import demo_reader
from demo_reader import Reader

browser, reader = demo_reader.browser, demo_reader.reader


def test_events_are_read_whole_wherever_their_bytes_are_cut(reader: Reader) -> None:
    wire = (
        ': note\r\n\r\nevent: a\r\ndata: {"x":1}\r\n\r\ndata:two\ndata:  lines\nid: 7\n\n'
        "event: b\rdata\r\rretry: 3\n\nevent: none\n\ndata: cut off"
    )
    whole = [
        {"event": "a", "data": '{"x":1}'},
        {"event": "message", "data": "two\n lines"},
        {"event": "b", "data": ""},
    ]
    body = """
      const read = (...pieces) => { const p = new m.EventParser(); return pieces.flatMap((piece) => p.push(piece)); };
      const cuts = [read(v), read(...v)];
      for (let at = 0; at <= v.length; at += 1) cuts.push(read(v.slice(0, at), "", v.slice(at)));
      return [...new Set(cuts.map((found) => JSON.stringify(found)))];
    """
    assert [json.loads(found) for found in reader.imported("sse.js", body, wire)] == [whole]


MARKDOWN = {
    "one\ntwo\n\nthree": "<p>one\ntwo</p><p>three</p>",
    "- a\n- b\n  - c\n\nend": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>end</p>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "1. a\n\n   ```\n   x\n     y\n   ```\n2. b": "<ol><li>a[x\n  y]</li><li>b</li></ol>",
    "- a\nlazy\n- b": "<ul><li>a\nlazy</li><li>b</li></ul>",
    "## Head **x** ##": '<p class="heading"><strong>Head <strong>x</strong></strong></p>',
    "> q\n> - r": "<blockquote><p>q</p><ul><li>r</li></ul></blockquote>",
    "a `b*c*` ``d`e`` *f* g*h*i snake_case_name": "<p>a <code>b*c*</code> <code>d`e</code> <em>f</em> g*h*i snake_case_name</p>",
    r"\*no\* \`no\` **open": "<p>*no* `no` **open</p>",
    "then run it [1]: now": "<p>then run it&nbsp;{1}: now</p>",
    "```js\nopen < &": "[open &lt; &amp;]",
    "~~~\n```\n~~~\nafter": "[```]<p>after</p>",
    "[1] [2][1] [x] `[1]`": "<p>{1} [2]{1} [x] <code>[1]</code></p>",
    "[w](/a_(b)) [n](x.md)": '<p><a href="/a_(b)">w</a> <span>n</span></p>',
    "[h](https://h.example/?a=1&b) [j](javascript:1)": '<p><a href="https://h.example/?a=1&amp;b">h</a> <span>j</span></p>',
    "![p](https://h.example/p.png)": "<p>p</p>",
}


@pytest.mark.parametrize("text", MARKDOWN)
def test_markdown_is_rendered_as_its_small_subset(reader: Reader, text: str) -> None:
    body = """
      const box = document.createElement("div");
      box.append(m.renderMarkdown(v, {1: {url: "/s#1", heading_path: ["S"]}}));
      for (const code of box.querySelectorAll(".code")) code.replaceWith("[" + code.querySelector("pre").textContent + "]");
      for (const sup of box.querySelectorAll("sup")) sup.replaceWith("{" + sup.textContent + "}");
      for (const a of box.querySelectorAll("a")) { a.removeAttribute("target"); a.removeAttribute("rel"); }
      return box.innerHTML;
    """
    assert reader.imported("markdown.js", body, text) == MARKDOWN[text]


def test_long_hostile_markdown_is_rendered_in_no_time(reader: Reader) -> None:
    body = """
      const began = performance.now();
      for (const piece of ["**a", "[", "`", "> ", "- ", "*a ", "[a](", "1. "]) m.renderMarkdown(piece.repeat(4000), {});
      m.renderMarkdown(Array.from({length: 400}, (_, depth) => " ".repeat(depth) + "- x").join("\\n"), {});
      return performance.now() - began;
    """
    assert reader.imported("markdown.js", body) < 4000


CONTRAST = """(() => {
  const channel = (c) => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const ground = (node) => {
    const colour = node ? parse(getComputedStyle(node).backgroundColor) : [255, 255, 255];
    return colour.length < 4 || colour[3] === 1 ? colour : ground(node.parentElement);
  };
  const ratio = (node) => {
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.querySelectorAll("body *")]
    .filter((node) => hasText(node) && node.checkVisibility({opacityProperty: true}) && !node.closest(".unseen, .skip"))
    .filter((node) => ratio(node) < 4.5)
    .map((node) => `${node.className} ${node.textContent.slice(0, 30)} ${ratio(node).toFixed(2)}`);
})()"""
"""Texts below the 4.5 : 1 of WCAG 2.2 (1.4.3)."""
SMALL = """[...document.querySelectorAll("button, textarea, .bar a, .pages a, .sources li")]
  .filter((node) => node.checkVisibility()).map((node) => [node.textContent.slice(0, 30), node.getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 44).map(([text]) => text)"""
"""Targets smaller than 44 by 44 pixels."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1180, 390, 320])
def test_it_is_legible_and_touchable_in_every_light_and_width(reader: Reader, dark: bool, width: int, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOT_DIR") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{'dark' if dark else 'light'}-{width}"

    def look(step: str) -> None:
        assert reader.js(CONTRAST) == [], step
        assert reader.js(SMALL) == [], step
        assert reader.js("document.documentElement.scrollWidth - innerWidth") <= 0, step
        reader.shot(folder, f"{name}-{step}")

    reader.open(dark=dark, width=width)
    look("1-start")
    reader.answered("How do I pair a lamp with the hub, and what if none is found?", "Answered")
    time.sleep(0.5)
    look("2-answered")
    reader.answered("unknown bread", "Not in the docs")
    reader.answered("partly", "Answered in part")
    time.sleep(0.5)
    look("3-outcomes")
    reader.ask("busy")
    reader.until(lambda: reader.css(".problem"))
    reader.ask("slow")
    reader.until(lambda: "Hold" in reader.text(".turn:last-child .text"))
    time.sleep(0.5)
    look("4-busy-and-waiting")
    reader.open("/docs/configure#range", dark=dark, width=width)
    look("5-page")


def test_nothing_moves_for_a_reader_who_asked_for_calm(reader: Reader) -> None:
    reader.open(calm=True)
    reader.ask("slow")
    reader.until(lambda: reader.css(".turn"))
    assert reader.js("document.getAnimations().length") == 0
    assert reader.js("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
