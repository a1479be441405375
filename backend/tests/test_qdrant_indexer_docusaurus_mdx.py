"""What a page of MDX becomes: the text a reader sees, in plain Markdown, with the links the built site has."""

from pathlib import Path
from time import monotonic

from site_folders import anchors, page_of, read


def test_fences_and_code_spans_stay_as_they_are(tmp_path: Path) -> None:
    text = (
        "```jsx title=\"a.jsx\" {1}\nimport A from 'a';\n"
        "<Tabs>{x}</Tabs> {/* c */} <!-- d --> :::note\n\n\n[l](./page.mdx)\n```\n\n"
        "Use `<Tabs>{x}</Tabs>` and ``a ` {b}``.\n"
    )
    assert page_of(tmp_path, text).markdown == text


def test_imports_exports_and_comments_are_gone_and_prose_that_looks_alike_stays(tmp_path: Path) -> None:
    text = (
        "import A from 'a';\nimport {\n  B,\n} from 'b'\n\nexport const f = () => {\n  return 1;\n\n"
        "};\n\nimport data from the CSV file.\n\n"
        "Text\nexport it.{/* gone */}<!-- gone -->\n"
    )
    assert page_of(tmp_path, text).markdown == "import data from the CSV file.\n\nText\nexport it.\n"


def test_admonitions_keep_title_and_text(tmp_path: Path) -> None:
    text = (
        ":::tip[My `title`]\n\nOne.\n:::\n\n:::warning Old title\nTwo.\n:::\n\n::::note\n:::danger{.x}\n"
        "Three.\n:::\n::::\n\n- item\n\n  :::info\n  Four.\n  :::\n"
    )
    assert page_of(tmp_path, text).markdown == (
        "**My `title`**\n\nOne.\n\n**Old title**\n\nTwo.\n\n**Note**\n\n**Danger**\n\nThree.\n\n- item\n\n  **Info**\n\n  Four.\n"
    )


def test_tabs_keep_their_labels_and_all_panels_even_when_indented(tmp_path: Path) -> None:
    text = (
        "<Tabs\n  values={[\n    {label: 'For npm', value: 'npm'},\n  ]}>\n  <TabItem value=\"npm\">\n\n"
        "    ## Inside\n\n    ```sh\n    npm i\n      deeper\n    ```\n\n"
        '  </TabItem>\n  <TabItem value="y" label="Yarn">Use yarn.</TabItem>\n</Tabs>\n'
    )
    page = page_of(tmp_path, text)
    assert page.markdown == "**For npm**\n\n## Inside\n\n```sh\nnpm i\n  deeper\n```\n\n**Yarn**\n\nUse yarn.\n"
    assert anchors(page) == ["inside"]


def test_html_keeps_its_text(tmp_path: Path) -> None:
    text = (
        "<details>\n  <summary><b>More</b> about it</summary>\n\nHidden.\n\n</details>\n\n"
        '<p>Para <a href="/x">link</a><br/>next <code>x</code></p>\n'
        '<img src="a.png" alt="A lamp" />\n\n<ul>\n  <li>one</li>\n  <li>two</li>\n</ul>\n\n'
        '<script>gone()</script>\n<iframe src="x" />\n'
    )
    markdown = page_of(tmp_path, text).markdown
    assert markdown == "More about it\n\nHidden.\n\nPara [link](/x) next `x`\n\n![A lamp](a.png)\n\n- one\n\n- two\n"


def test_expressions_become_their_value_when_the_page_says_it(tmp_path: Path) -> None:
    text = (
        "---\ntitle: T\n---\nexport const hub = {name: 'Glow', volts: 12};\nexport const n = 3\n\n"
        "{hub.name}{' '}at {hub.volts} V, {n} of {`${n} lamps`}, {frontMatter.title}, {n / 2}.\n\n"
        "{lamps.map(l => <p>A lamp</p>)}\n\n{children}\n"
    )
    assert page_of(tmp_path, text).markdown == "Glow at 12 V, 3 of 3 lamps, T, `n / 2`.\n\nA lamp\n"


def test_a_list_the_page_writes_out_is_shown_row_by_row(tmp_path: Path) -> None:
    text = (
        "export const lamps = [{name: 'Glow', volts: 12}, {name: 'Dim', volts: 5}];\n\n"
        "{['red', 'green'].map((c) => <p key={c}>The {c} lamp.</p>)}\n\n"
        "<ul>\n  {lamps.map((lamp, i) => (\n    <li key={i}>{lamp.name} runs on {lamp.volts} V</li>\n  ))}\n</ul>\n\n"
        "| Lamps |\n| --- |\n| {lamps.map(({name}) => <b>{name}</b>)} |\n\n{unknown.map((c) => <p>A {c} lamp.</p>)} {c}\n"
    )
    assert page_of(tmp_path, text).markdown == (
        "The red lamp.\n\nThe green lamp.\n\n- Glow runs on 12 V\n\n- Dim runs on 5 V\n\n"
        "| Lamps |\n| --- |\n| Glow Dim |\n\nA `c` lamp.\n\n`c`\n"
    )


def test_text_given_as_jsx_is_kept_and_what_is_not_shown_on_the_page_is_not(tmp_path: Path) -> None:
    text = (
        "<head>\n  <title>For robots</title>\n</head>\n\n<Head><title>For robots</title></Head>\n\n"
        '<Tabs>\n<TabItem value="win" label={<span>Windows <b>11</b></span>}>\n\nUse it.\n\n</TabItem>\n</Tabs>\n\n'
        "<Card title={<>Rich {'text'}</>} />\n\n<Translate description=\"For translators\">Hello</Translate>\n"
    )
    assert page_of(tmp_path, text).markdown == "**Windows 11**\n\nUse it.\n\nRich text\n\nHello\n"


def test_stray_brackets_and_autolinks_stay_text(tmp_path: Path) -> None:
    text = "a < b, {open, x <https://example.org/> and \\<escaped> and run <lamp> now.\n"
    assert page_of(tmp_path, text).markdown == "a < b, {open, x <https://example.org/> and \\<escaped> and run \\<lamp> now.\n"


def test_components_keep_the_text_they_show(tmp_path: Path) -> None:
    text = (
        '<Card title="Fast" href="/x" />\n\n'
        'See <Badge label="new" /> and <Term title="no">this</Term>.\n\n'
        '<CodeBlock language="js">{`let a = 1;\nlet b;`}</CodeBlock>\n'
    )
    assert page_of(tmp_path, text).markdown == "Fast\n\nSee new and this.\n\n```js\nlet a = 1;\nlet b;\n```\n"


def test_partials_are_put_in_with_their_props_and_share_the_table_of_ids(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        "import W from './_w.mdx';\nimport {x, default as S} from '@site/docs/sub/_s.md';\n"
        "import Own from './page.mdx';\n\n## Same\n\n- item\n\n  <W years={3} who='us' />\n\n<S/>\n\n"
        '<Own/>\n\n<W years="4" />\n',
        **{
            "_w.mdx": "---\na: b\n---\n\n### Same\n\n{props.years} years from {props.who}.\n",
            "sub/_s.md": "import W from '../_w.mdx'\n\nShared. <W years={5}/>\n",
        },
    )
    assert anchors(page) == ["same", "same-1", "same-2", "same-3"]
    assert "- item\n\n  ### Same\n\n  3 years from us.\n" in page.markdown
    assert "Shared.\n\n### Same\n\n5 years from" in page.markdown
    assert page.markdown.count("item") == 1


def test_a_partial_outside_of_the_site_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    site = read(tmp_path / "site", {"a.mdx": "import S from '../../secret.md';\n\nText.\n\n<S/>\n"})
    assert site.pages[0].markdown == "Text.\n"


def test_file_links_point_at_addresses_and_code_and_other_links_do_not_change(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        "[a](./sub/01-größe.md#x) [b](/sub/01-größe.md) [c][r] `[d](sub/01-größe.md)` [e](missing.md) [f](https://x.org/a.md)\n\n"
        "[r]: @site/docs/sub/01-größe.md 'T'\n",
        **{"sub/01-größe.md": "[up](../page.mdx)"},
    )
    address = "/docs/sub/gr%C3%B6%C3%9Fe"
    assert page.markdown == (
        f"[a]({address}#x) [b]({address}) [c][r] `[d](sub/01-größe.md)` [e](missing.md) [f](https://x.org/a.md)\n\n"
        f"[r]: {address} 'T'\n"
    )


def test_a_long_hostile_page_is_read_in_seconds(tmp_path: Path) -> None:
    started = monotonic()
    page = page_of(tmp_path, "\n".join(["<a " * 300, "{" * 300, "`" * 7, "<b>" * 300, "[" * 300, "<x " * 300, "<!--" * 100]) * 5)
    assert page.url == "/docs/page"
    assert monotonic() - started < 20
