import {expect, test} from 'vitest';
import {inOrder, isShortcut} from '../src/page/shortcut';

function press(init: KeyboardEventInit, target: Element = document.body): KeyboardEvent {
  const event = new KeyboardEvent('keydown', {bubbles: true, ...init});
  target.dispatchEvent(event);
  return event;
}

test('Ctrl or Cmd with the key is the shortcut, and other keys held down make it another one', () => {
  expect(isShortcut(press({key: 'i', ctrlKey: true}), 'mod+i')).toBe(true);
  expect(isShortcut(press({key: 'I', metaKey: true}), 'mod+i')).toBe(true);
  expect(isShortcut(press({key: 'i'}), 'mod+i')).toBe(false);
  expect(isShortcut(press({key: 'i', ctrlKey: true, shiftKey: true}), 'mod+i')).toBe(false);
  expect(isShortcut(press({key: 'k', altKey: true, shiftKey: true}), 'alt+shift+k')).toBe(true);
});

test("in a field the keys are the reader's own", () => {
  document.body.innerHTML = '<textarea></textarea><input><div contenteditable="true"><b>x</b></div>';
  for (const selector of ['textarea', 'input']) {
    expect(isShortcut(press({key: 'i', ctrlKey: true}, document.querySelector(selector)!), 'mod+i')).toBe(false);
  }
});

test('an event without a key, as browsers make when they fill in a form, is no shortcut', () => {
  const event = press({});
  Object.defineProperty(event, 'key', {value: undefined});
  expect(isShortcut(event, 'mod+i')).toBe(false);
});

test('keys are brought into the order they are compared in', () => {
  expect(inOrder('Shift+Alt+Mod+K')).toBe('mod+alt+shift+k');
});
