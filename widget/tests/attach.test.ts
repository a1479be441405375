import {beforeAll, beforeEach, expect, test} from 'vitest';
import type {OpenDetail, PageOptions} from '../src/options';
import {attach, type LoadPanel} from '../src/page/attach';

const OPTIONS: PageOptions = {
  apiUrl: '/',
  position: 'end',
  shortcut: 'mod+i',
  launcher: true,
  selectionButton: true,
  starters: [],
};
const TEXTS = {title: 'Ask AI', failed: 'Loading failed. Try again'};

/** What a page loads. Listeners of an earlier test's page stay, and open that page's panel alone. */
function page(failures = 0) {
  const opened: [OpenDetail | null | undefined, Element | null][] = [];
  const page = {opened, loads: 0, load: (() => Promise.reject()) as LoadPanel};
  page.load = async () => {
    page.loads += 1;
    if (page.loads <= failures) throw new TypeError('Failed to fetch dynamically imported module');
    return {load: () => ({open: (detail, from) => void opened.push([detail, from])})};
  };
  return page;
}
const settled = () => new Promise((resolve) => setTimeout(resolve));

beforeAll(() => {
  // jsdom has no constructable style sheets.
  Object.assign(CSSStyleSheet.prototype, {replaceSync() {}});
  Object.defineProperty(document, 'adoptedStyleSheets', {value: []});
});

beforeEach(() => {
  document.body.innerHTML = '<main><p>x</p></main>';
});

const launcher = () => document.querySelector<HTMLButtonElement>('.ask-docs-launcher')!;

test('the launcher loads the panel once and opens it each time', async () => {
  const here = page();
  attach(OPTIONS, TEXTS, here.load, () => {});
  expect([launcher().textContent, launcher().ariaKeyShortcuts ?? launcher().getAttribute('aria-keyshortcuts')]).toEqual([
    'Ask AI',
    'Control+i',
  ]);
  launcher().click();
  launcher().click();
  await settled();
  expect([here.loads, here.opened.length, here.opened[0]![1]]).toEqual([1, 2, launcher()]);
});

test('a panel that cannot be loaded is told in the launcher, and loaded anew at the next press', async () => {
  const here = page(1);
  attach({...OPTIONS, launcher: false}, TEXTS, here.load, () => {});
  expect(launcher().hidden).toBe(true);
  dispatchEvent(new CustomEvent('ask-docs:open', {detail: {query: 'x'}}));
  await settled();
  expect([launcher().hidden, launcher().textContent, document.activeElement]).toEqual([false, TEXTS.failed, launcher()]);
  launcher().click();
  await settled();
  expect([here.loads, here.opened.length, launcher().textContent]).toEqual([2, 1, 'Ask AI']);
});

test('elements with data-ask-docs open it with their question, also from inside', async () => {
  const here = page();
  document.body.innerHTML = '<a href="/elsewhere" data-ask-docs="How?"><b>Ask</b></a>';
  attach(OPTIONS, TEXTS, here.load, () => {});
  const click = new MouseEvent('click', {bubbles: true, cancelable: true});
  document.querySelector('b')!.dispatchEvent(click);
  await settled();
  expect(click.defaultPrevented).toBe(true);
  expect(here.opened).toEqual([[{query: 'How?'}, document.querySelector('a')]]);
});

test('the shortcut opens it, and false takes the shortcut away', async () => {
  const here = page();
  const press = () => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'i', ctrlKey: true, bubbles: true}));
  attach({...OPTIONS, shortcut: false}, TEXTS, here.load, () => {});
  press();
  await settled();
  expect(here.opened).toEqual([]);
  attach(OPTIONS, TEXTS, here.load, () => {});
  press();
  await settled();
  expect(here.opened).toHaveLength(1);
});

test('an address with ?ask= opens it on the page it is on, and others do not', async () => {
  const here = page();
  const look = attach(OPTIONS, TEXTS, here.load, () => {});
  look();
  history.replaceState(null, '', '/docs?task=1');
  look();
  await settled();
  expect(here.opened).toHaveLength(0);
  history.replaceState(null, '', '/docs?x=1&ask=How%3F');
  look();
  await settled();
  expect(here.opened).toHaveLength(1);
});

test('what shows the button beside selected text is loaded at the first selection, and not when it is switched off', () => {
  const here = page();
  let loaded = 0;
  attach(OPTIONS, TEXTS, here.load, () => (loaded += 1));
  attach({...OPTIONS, selectionButton: false}, TEXTS, here.load, () => (loaded += 100));
  for (let time = 0; time < 3; time += 1) document.dispatchEvent(new Event('selectionchange'));
  expect(loaded).toBe(1);
});
