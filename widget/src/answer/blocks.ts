// Reads the blocks of the Markdown that answers are written in - paragraphs, lists, quotes, code, tables - as DOM nodes.
// Text becomes text nodes and never HTML, so that what an answer holds cannot become an element of its own choice.

import {inline, node} from './inline';

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([\w+#.-]*)/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/;
const QUOTE = /^ {0,3}> ?/;
const RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const TABLE_LINE = /^ {0,3}\|?(?: *:?-+:? *\|)+ *(?::?-+:? *)?$/;
/** Deeper than anybody nests; a hostile text must not exhaust the stack. */
const MAX_DEPTH = 6;

type Found = [block: HTMLElement, next: number];

/** The text's blocks, in order. */
export function blocks(text: string): HTMLElement[] {
  return blocksOf(text.replace(/\r\n?/g, '\n').split('\n'), 0);
}

function blocksOf(lines: string[], depth: number): HTMLElement[] {
  const found: HTMLElement[] = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at]!.trim()) {
      at += 1;
      continue;
    }
    const [block, next] = blockAt(lines, at, depth);
    found.push(block);
    at = next;
  }
  return found;
}

function blockAt(lines: string[], at: number, depth: number): Found {
  const line = lines[at]!;
  if (FENCE.test(line)) return code(lines, at);
  if (RULE.test(line)) return [node('hr'), at + 1];
  if (isTable(lines, at)) return table(lines, at);
  if (depth < MAX_DEPTH && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < MAX_DEPTH && ITEM.test(line)) return list(lines, at, depth);
  return paragraph(lines, at);
}

function code(lines: string[], start: number): Found {
  const [, indent = '', fence = '', language = ''] = FENCE.exec(lines[start]!)!;
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
  let end = start + 1;
  while (end < lines.length && !closing.test(lines[end]!)) end += 1;
  const text = lines.slice(start + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
  const body = node('code', [text.join('\n')]);
  if (language) body.className = `language-${language}`;
  return [node('pre', [body]), end + 1];
}

function quote(lines: string[], start: number, depth: number): Found {
  let end = start;
  while (end < lines.length && QUOTE.test(lines[end]!)) end += 1;
  const inner = lines.slice(start, end).map((line) => line.replace(QUOTE, ''));
  return [node('blockquote', blocksOf(inner, depth + 1)), end];
}

function list(lines: string[], start: number, depth: number): Found {
  const [, indent = '', sign = ''] = ITEM.exec(lines[start]!)!;
  const isOrdered = /\d/.test(sign);
  const items: HTMLElement[] = [];
  let at = start;
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]!);
    if (!found || found[1]!.length !== indent.length || /\d/.test(found[2]!) !== isOrdered) break;
    const width = lines[at]!.length - found[3]!.length;
    const inner = [found[3]!];
    for (at += 1; at < lines.length && belongs(lines, at, indent.length); at += 1) inner.push(dedented(lines[at]!, width));
    items.push(node('li', unwrapped(blocksOf(inner, depth + 1))));
    while (at < lines.length && !lines[at]!.trim() && ITEM.test(lines[at + 1] ?? '')) at += 1;
  }
  const made = node(isOrdered ? 'ol' : 'ul', items);
  const first = Number.parseInt(sign, 10);
  if (isOrdered && first !== 1) made.setAttribute('start', String(first));
  return [made, at];
}

/** Whether the line goes on with the item above it. */
function belongs(lines: string[], at: number, indent: number): boolean {
  const line = lines[at]!;
  if (!line.trim()) return leading(lines[at + 1] ?? '') > indent && Boolean(lines[at + 1]?.trim());
  if (leading(line) > indent) return true;
  // An unindented line goes on with the item's paragraph, unless a blank line or a block of its own parts them.
  return Boolean(lines[at - 1]!.trim()) && !startsBlock(lines, at);
}

const startsBlock = (lines: string[], at: number) =>
  [FENCE, ITEM, HEADING, QUOTE, RULE].some((block) => block.test(lines[at]!)) || isTable(lines, at);
const leading = (line: string) => line.length - line.trimStart().length;
const dedented = (line: string, width: number) => line.slice(Math.min(width, leading(line)));

/** An item that begins with a paragraph begins with its text. */
function unwrapped(nodes: HTMLElement[]): Node[] {
  const [first, ...rest] = nodes;
  return first?.tagName === 'P' ? [...first.childNodes, ...rest] : nodes;
}

function isTable(lines: string[], at: number): boolean {
  return (
    lines[at]!.includes('|') && TABLE_LINE.test(lines[at + 1] ?? '') && cells(lines[at]!).length === cells(lines[at + 1]!).length
  );
}

function table(lines: string[], start: number): Found {
  let end = start + 2;
  while (end < lines.length && lines[end]!.includes('|')) end += 1;
  const width = cells(lines[start]!).length;
  const row = (line: string, tag: 'th' | 'td') => {
    const texts = cells(line);
    return node(
      'tr',
      Array.from({length: width}, (_, place) => node(tag, inline(texts[place] ?? ''))),
    );
  };
  const head = node('thead', [row(lines[start]!, 'th')]);
  return [
    node('table', [
      head,
      node(
        'tbody',
        lines.slice(start + 2, end).map((line) => row(line, 'td')),
      ),
    ]),
    end,
  ];
}

function cells(line: string): string[] {
  const inside = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inside.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));
}

function paragraph(lines: string[], start: number): Found {
  const heading = HEADING.exec(lines[start]!);
  // An answer has no place in the outline of the page: its headings are bold lines.
  if (heading) return [node('p', [node('strong', inline(heading[1]!))]), start + 1];
  let end = start + 1;
  while (end < lines.length && lines[end]!.trim() && !startsBlock(lines, end)) end += 1;
  const text = lines.slice(start, end).map((line) => line.trim());
  return [node('p', inline(text.join('\n'))), end];
}
