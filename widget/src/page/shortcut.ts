// Whether a key press is the shortcut, and none that belongs to what the reader writes.

/** `shortcut`: as `mod+alt+shift+i`, in this order; mod: Cmd or Ctrl, whichever the reader's system has. */
export function isShortcut({ctrlKey, metaKey, altKey, shiftKey, key, target}: KeyboardEvent, shortcut: string): boolean {
  const pressed =
    (ctrlKey || metaKey ? 'mod+' : '') + (altKey ? 'alt+' : '') + (shiftKey ? 'shift+' : '') + `${key}`.toLowerCase();
  // Some events that browsers make when they fill in a form have no key. In a field the same keys may mean italics.
  return pressed === shortcut && !(target as Element).matches(':read-write');
}

/** The shortcut with its keys in the order that isShortcut compares. */
export function inOrder(shortcut: string): string {
  const keys = shortcut.toLowerCase().split('+');
  return [...['mod', 'alt', 'shift'].filter((key) => keys.includes(key)), keys.at(-1)].join('+');
}
