// Reads the page the reader is on: its headings, its text, the version it belongs to.

/** As much of a page or a selection as the service takes, in code points. */
export const LONGEST_SELECTION = 4000;

/** The part of the page that is documentation, not navigation. */
export function article(): HTMLElement {
  return document.querySelector<HTMLElement>('article .markdown, main article, article, main, [role="main"]') ?? document.body;
}

/** Texts of the headings of the page, without the signs of links to them. */
export function headings(within: HTMLElement = article()): string[] {
  return Array.from(within.querySelectorAll('h1, h2, h3'), (heading) => {
    const copy = heading.cloneNode(true) as HTMLElement;
    for (const aside of copy.querySelectorAll('a[href^="#"], button')) aside.remove();
    return copy.textContent.trim();
  }).filter(Boolean);
}

/** What a question about this page is about: its headings, which the service searches with, and the beginning of its text. */
export function pageText(): string {
  const within = article();
  const outline = [document.title, ...headings(within)].join('\n');
  return cut(`${outline}\n\n${(within.innerText || within.textContent).replace(/\n{2,}/g, '\n')}`);
}

/** The selected text, when it is part of the page's content. */
export function selectedText(): string | null {
  const selection = getSelection();
  const node = selection?.anchorNode;
  if (!selection || !node || selection.isCollapsed || !article().contains(node)) return null;
  // Where a page marks no content, all of it counts as such, but never the panel.
  if (node.parentElement?.closest('.ask-docs')) return null;
  const text = selection.toString().trim();
  return text.length > 2 ? cut(text) : null;
}

/**
 * The docs version of the page, when the address names it. Without it the service knows the version by the address; to name the
 * default version would leave out the blog and the other pages.
 */
export function docsVersion(path: string): string | undefined {
  const version = document.querySelector<HTMLMetaElement>('meta[name="docusaurus_version"]')?.content.split(',')[0];
  const named = version === 'current' ? 'next' : version;
  return named && path.split('/').includes(named) ? version : undefined;
}

function cut(text: string): string {
  return Array.from(text).slice(0, LONGEST_SELECTION).join('');
}
