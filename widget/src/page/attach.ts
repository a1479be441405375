// All that runs on every page: the launcher, the shortcut, what opens the panel, and the loading of it. Its size is a budget.

import type {OpenDetail, PageOptions} from '../options';
import type {LauncherTexts} from '../strings/texts';
import css from '../styles/launcher.css';
import {addStyles} from '../styles/sheet';
import {isShortcut} from './shortcut';

export interface Panel {
  open(detail: OpenDetail | null | undefined, from: Element | null): void;
}
/** Loads the panel's code; its `load` puts the panel into the page, closed. */
export type LoadPanel = () => Promise<{load(launcher: HTMLElement): Panel}>;

/**
 * Puts the launcher into the page and listens. `loadSelection`: loads what shows a button beside selected text.
 * Returns what looks for `?ask=` in the address, to be called on each page.
 */
export function attach(options: PageOptions, texts: LauncherTexts, loadPanel: LoadPanel, loadSelection: () => void): () => void {
  const {shortcut, title = texts.title} = options;
  const launcher = document.createElement('button');
  let panel: Promise<Panel> | null = null;
  const open = async (detail?: OpenDetail | null, from: Element | null = document.activeElement) => {
    launcher.textContent = title;
    try {
      (await (panel ??= loadPanel().then((it) => it.load(launcher)))).open(detail, from);
    } catch {
      // The promise is not kept, so that the next try loads anew. A deploy or a dead spot is why a file can't be had.
      panel = null;
      launcher.textContent = texts.failed;
      launcher.hidden = false;
      launcher.focus();
    }
  };

  addStyles(css);
  launcher.className = `ask-docs-launcher ${options.position}`;
  launcher.dataset.askDocs = '';
  launcher.textContent = title;
  launcher.hidden = !options.launcher;
  launcher.ariaHasPopup = 'dialog';
  if (shortcut) launcher.ariaKeyShortcuts = shortcut.replace('mod', 'Control');
  document.body.append(launcher);

  addEventListener('keydown', (event) => {
    if (!shortcut || !isShortcut(event, shortcut)) return;
    event.preventDefault();
    open();
  });
  addEventListener('click', (event) => {
    const opener = (event.target as Element).closest<HTMLElement>('[data-ask-docs]');
    if (!opener) return;
    event.preventDefault();
    open({query: opener.dataset.askDocs!}, opener);
  });
  addEventListener('ask-docs:open', (event) => open(event.detail));
  if (options.selectionButton) document.addEventListener('selectionchange', loadSelection, {once: true});
  return () => {
    if (/[?&]ask=/.test(location.search)) open();
  };
}
