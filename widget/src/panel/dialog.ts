// The panel as a dialog: beside the page on wide screens, a sheet over it on narrow ones; where the focus goes and returns to.

import {useEffect, useLayoutEffect, type RefObject} from 'react';
import {article} from '../page/reading';

const SHEET = '(max-width: 640px)';
const FOCUSABLE = 'a[href], button:not([disabled]), textarea, input, [tabindex="0"]';

export const isSheet = (): boolean => matchMedia(SHEET).matches;

let returnTo: Element | null = null;
let keepsFocus = false;
export const focusFallback = {
  /** `element`: gets the focus when the panel is closed. `keeps`: this once the focus stays in the page. */
  set(element: Element | null, keeps: boolean): void {
    returnTo = element;
    keepsFocus = keeps;
  },
};

/** Opens and closes the dialog with `open`. `first`: what gets the focus. `hidesLauncher`: also while the panel is closed. */
export function useDialog(
  dialog: RefObject<HTMLDialogElement | null>,
  first: RefObject<HTMLElement | null>,
  open: boolean,
  launcher: HTMLElement,
  hidesLauncher: boolean,
): void {
  useLayoutEffect(() => {
    const element = dialog.current;
    if (!element || !open) return;
    const sheet = matchMedia(SHEET);
    const show = () => {
      const held = document.activeElement as HTMLElement | null;
      element.close();
      // A sheet covers the page, which is out of reach then; beside it the page stays in use.
      if (sheet.matches) element.showModal();
      else element.show();
      // The browser gives the focus to the dialog's first button; it goes back to where it was.
      if (held && held !== document.body) held.focus({preventScroll: true});
      else (document.activeElement as HTMLElement | null)?.blur();
    };
    show();
    document.documentElement.classList.add('ask-docs-open');
    // On a phone the focus would bring up the keyboard, before the reader has seen what there is.
    if (!keepsFocus) (matchMedia('(pointer: coarse)').matches ? element : first.current)?.focus({preventScroll: true});
    // Where the page makes way for the panel, its lines break anew, and the heading moves that the link led to.
    else document.querySelector(':target')?.scrollIntoView();
    keepsFocus = false;
    sheet.addEventListener('change', show);
    return () => {
      sheet.removeEventListener('change', show);
      const had = element.contains(document.activeElement) || document.activeElement === document.body;
      element.close();
      document.documentElement.classList.remove('ask-docs-open');
      launcher.hidden = hidesLauncher;
      if (had) giveBack(launcher);
    };
  }, [open, dialog, first, launcher, hidesLauncher]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'F6' || !open || isSheet() || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      if (dialog.current?.contains(document.activeElement)) focusPage();
      else first.current?.focus({preventScroll: true});
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [open, dialog, first]);
}

/** Keeps Tab inside the panel; F6 and Esc lead out of it. */
export function keepTabInside(event: {key: string; shiftKey: boolean; preventDefault(): void}, dialog: HTMLDialogElement): void {
  if (event.key !== 'Tab') return;
  const all = Array.from(dialog.querySelectorAll<HTMLElement>(FOCUSABLE)).filter((one) => one.checkVisibility());
  const [edge, other] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
  if (document.activeElement !== edge && document.activeElement !== dialog) return;
  if (document.activeElement === dialog && !event.shiftKey) return;
  event.preventDefault();
  other?.focus();
}

function giveBack(launcher: HTMLElement): void {
  const target = returnTo instanceof HTMLElement && returnTo.isConnected && returnTo !== document.body ? returnTo : launcher;
  target.focus({preventScroll: true});
}

function focusPage(): void {
  const page = article();
  if (!page.hasAttribute('tabindex')) page.tabIndex = -1;
  page.focus({preventScroll: true});
}
