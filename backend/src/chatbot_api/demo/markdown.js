// Renders the small Markdown of an answer as DOM nodes: paragraphs, lists, quotes, code, bold, links, [n] markers. HTML stays text.

import { element, link } from "./dom.js";

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([\w+#.-]*)/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/;
const QUOTE = /^ {0,3}> ?/;
const MAX_DEPTH = 6;

const INLINE = new RegExp(
  [
    "\\\\([\\\\`*_\\[\\](){}#+.!>~|<-])", // 1 escaped sign
    "(?<!`)(`{1,3})(?!`)([^]*?[^`])\\2(?!`)", // 2, 3 code
    "\\*\\*(?=\\S)([^]*?\\S)\\*\\*", // 4 bold
    "(?<![\\w*])\\*(?=[^\\s*])([^*]*?[^\\s*])\\*(?![\\w*])", // 5 emphasis
    "!?\\[([^\\[\\]]{1,500})\\]\\(((?:[^\\s()<>]|\\([^\\s()]*\\)){1,2000})(?:\\s+\"[^\"]*\")?\\)", // 6, 7 link
    "\\[(\\d{1,3})\\]", // 8 marker
  ].join("|"),
  "g",
);

/** The rendered text as a fragment. `sources`: {id: source}; a marker without its source stays text. */
export function renderMarkdown(text, sources) {
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(text.replace(/\r\n?/g, "\n").split("\n"), sources, 0));
  return fragment;
}

function blocks(lines, sources, depth) {
  const nodes = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const [node, next] = !line.trim()
      ? [null, at + 1]
      : FENCE.test(line)
        ? codeBlock(lines, at)
        : QUOTE.test(line) && depth < MAX_DEPTH
          ? quote(lines, at, sources, depth)
          : ITEM.test(line) && depth < MAX_DEPTH
            ? list(lines, at, sources, depth)
            : paragraph(lines, at, sources);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

function codeBlock(lines, start) {
  const [, indent, fence, language] = FENCE.exec(lines[start]);
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
  let end = start + 1;
  while (end < lines.length && !closing.test(lines[end])) end += 1;
  const code = lines.slice(start + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
  const body = element("code", {}, code.join("\n"));
  const frame = element(
    "div",
    { class: "code" },
    element("div", { class: "code-bar" }, element("span", {}, language || "code"), copyButton(body)),
    element("pre", { tabindex: "0", role: "region", "aria-label": `Code, ${language || "plain"}` }, body),
  );
  return [frame, end + 1];
}

function copyButton(body) {
  const button = element("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(body.textContent);
      button.textContent = "Copied";
    } catch {
      // No clipboard on plain http or by the reader's choice: selected text is one keystroke away from it.
      getSelection().selectAllChildren(body);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

function quote(lines, start, sources, depth) {
  let end = start;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(start, end).map((line) => line.replace(QUOTE, ""));
  return [element("blockquote", {}, ...blocks(inner, sources, depth + 1)), end];
}

function list(lines, start, sources, depth) {
  const [, indent, sign] = ITEM.exec(lines[start]);
  const ordered = /\d/.test(sign);
  const items = [];
  let at = start;
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (!found || found[1].length !== indent.length || /\d/.test(found[2]) !== ordered) break;
    const content = lines[at].length - found[3].length;
    const inner = [found[3]];
    for (at += 1; at < lines.length && belongs(lines, at, content, indent.length); at += 1) inner.push(dedent(lines[at], content));
    items.push(element("li", {}, ...withoutLoneParagraph(blocks(inner, sources, depth + 1))));
    while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  const first = ordered && Number.parseInt(sign, 10) !== 1 ? String(Number.parseInt(sign, 10)) : null;
  return [element(ordered ? "ol" : "ul", { start: first }, ...items), at];
}

function belongs(lines, at, content, indent) {
  const line = lines[at];
  if (!line.trim()) return leading(lines[at + 1] ?? "") > indent && Boolean(lines[at + 1]?.trim());
  if (leading(line) > indent) return true;
  // An unindented line goes on with the item's paragraph, unless a blank line or a block of its own parts them.
  return Boolean(lines[at - 1].trim()) && !ITEM.test(line) && !FENCE.test(line) && !HEADING.test(line) && !QUOTE.test(line);
}

const leading = (line) => line.length - line.trimStart().length;
const dedent = (line, width) => line.slice(Math.min(width, leading(line)));

function withoutLoneParagraph(nodes) {
  return nodes[0]?.tagName === "P" ? [...nodes[0].childNodes, ...nodes.slice(1)] : nodes;
}

function paragraph(lines, start, sources) {
  const heading = HEADING.exec(lines[start]);
  if (heading) return [element("p", { class: "heading" }, element("strong", {}, ...inline(heading[1], sources))), start + 1];
  let end = start + 1;
  while (end < lines.length && lines[end].trim() && ![FENCE, ITEM, HEADING, QUOTE].some((block) => block.test(lines[end]))) end += 1;
  const text = lines.slice(start, end).map((line) => line.trim()).join("\n");
  return [element("p", {}, ...inline(text, sources)), end];
}

function inline(text, sources, depth = 0) {
  const nodes = [];
  let from = 0;
  if (depth > MAX_DEPTH) return [text];
  for (const match of text.matchAll(INLINE)) {
    const before = text.slice(from, match.index);
    // A marker stays on the line of the word it proves.
    nodes.push(sources?.[match[8]] ? before.replace(/ +$/, "\u00a0") : before, span(match, sources, depth + 1));
    from = match.index + match[0].length;
  }
  return [...nodes, text.slice(from)].filter((node) => node !== "");
}

function span(match, sources, depth) {
  const [whole, escaped, , code, bold, emphasis, label, address, marker] = match;
  if (escaped) return escaped;
  if (code) return element("code", {}, code.replace(/\n/g, " ").replace(/^ (.*\S.*) $/, "$1"));
  if (bold) return element("strong", {}, ...inline(bold, sources, depth));
  if (emphasis) return element("em", {}, ...inline(emphasis, sources, depth));
  if (label) return whole.startsWith("!") ? label : link(address, {}, ...inline(label, null, depth));
  return markerLink(marker, sources) ?? whole;
}

function markerLink(id, sources) {
  const source = sources?.[id];
  if (!source) return null;
  const name = `Source ${id}: ${source.heading_path.join(", ")}, opens in a new tab`;
  return element("sup", {}, link(source.url, { class: "marker", "aria-label": name, title: source.heading_path.join(" › ") }, id));
}
