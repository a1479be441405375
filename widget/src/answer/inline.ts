// Reads what stands inside a line of Markdown: code, bold, emphasis, links. Everything else is text, HTML included.

const MAX_DEPTH = 6;

const INLINE = new RegExp(
  [
    '\\\\([\\\\`*_\\[\\](){}#+.!>~|<-])', // 1 escaped sign
    '(?<!`)(`{1,3})(?!`)([^]*?[^`])\\2(?!`)', // 2, 3 code
    '\\*\\*(?=\\S)([^]*?\\S)\\*\\*', // 4 bold
    '(?<![\\w*])\\*(?=[^\\s*])([^*]*?[^\\s*])\\*(?![\\w*])', // 5 emphasis
    '!?\\[([^\\[\\]]{1,500})\\]\\(((?:[^\\s()<>]|\\([^\\s()]*\\)){1,2000})(?:\\s+"[^"]*")?\\)', // 6, 7 link
    '<(https?://[^\\s<>]{1,2000})>', // 8 bare address
  ].join('|'),
  'g',
);

/** A new element with its children. */
export function node(name: string, children: (Node | string)[] = []): HTMLElement {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

export function inline(text: string, depth = 0): (Node | string)[] {
  if (depth > MAX_DEPTH) return [text];
  const found: (Node | string)[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    found.push(text.slice(from, match.index), span(match, depth + 1));
    from = match.index + match[0].length;
  }
  return [...found, text.slice(from)].filter((one) => one !== '');
}

function span(match: RegExpExecArray, depth: number): Node | string {
  const [whole, escaped, , code, bold, emphasis, label, address, bare] = match;
  if (escaped) return escaped;
  if (code) return node('code', [code.replace(/\n/g, ' ').replace(/^ (.*\S.*) $/, '$1')]);
  if (bold) return node('strong', inline(bold, depth));
  if (emphasis) return node('em', inline(emphasis, depth));
  // Of a picture its description stays: it could carry words of the page to another host.
  if (label) return whole.startsWith('!') ? label : link(address!, inline(label, depth));
  return link(bare!, [bare!]);
}

/** Where it may lead is decided later, by links.ts. */
function link(address: string, children: (Node | string)[]): HTMLElement {
  const made = node('a', children);
  made.setAttribute('href', address);
  return made;
}
