// Brings an element's children up to date, leaving those alone that did not change: a growing answer keeps focus and selection.

export function patch(target: Element, source: Element): void {
  const wanted = Array.from(source.childNodes);
  const there = Array.from(target.childNodes);
  const same = wanted.findIndex((node, at) => !there[at]?.isEqualNode(node));
  const from = same < 0 ? wanted.length : same;
  for (const node of there.slice(from)) node.remove();
  target.append(...wanted.slice(from));
}
