// A small button beside text the reader selected. It opens nothing by itself.

import {addStyles} from '../styles/sheet';
import css from '../styles/selection.css';
import {selectedText} from './reading';

/** A selection is being dragged for so long. */
const SETTLED_MS = 250;

export function watchSelection(label: string): void {
  addStyles(css);
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'ask-docs-select';
  button.textContent = label;
  button.hidden = true;
  let timer: ReturnType<typeof setTimeout>;
  const look = () => {
    // While the button is being pressed, browsers may drop the selection it stands for.
    if (document.activeElement === button) return;
    const box = selectedText() ? getSelection()!.getRangeAt(0).getBoundingClientRect() : null;
    button.hidden = !box;
    if (box) place(button, box);
  };
  document.addEventListener('selectionchange', () => {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLED_MS);
  });
  button.addEventListener('mousedown', (event) => event.preventDefault());
  button.addEventListener('click', () => {
    const selection = selectedText();
    button.hidden = true;
    if (selection) dispatchEvent(new CustomEvent('ask-docs:open', {detail: {selection}}));
  });
  document.body.append(button);
  timer = setTimeout(look, SETTLED_MS);
}

/** Below the end of the selection, inside the window; it scrolls with the page. */
function place(button: HTMLElement, box: DOMRect): void {
  const width = button.offsetWidth;
  const left = Math.min(Math.max(8, box.right - width), document.documentElement.clientWidth - width - 8);
  button.style.top = `${box.bottom + scrollY + 6}px`;
  button.style.left = `${left + scrollX}px`;
}
