// Opens the panel again on a page that one of its links led to by a load: the session holds a note from one page to the next.

const NOTE = 'ask-docs:reopen';

/** Leaves the note, before a link is followed. */
export function reopenOnNextPage(): void {
  try {
    sessionStorage.setItem(NOTE, '1');
  } catch {
    // Without storage the next page begins with the panel closed.
  }
}

/** Whether there is a note; it is taken. */
export function isReopening(): boolean {
  try {
    const is = sessionStorage.getItem(NOTE) !== null;
    sessionStorage.removeItem(NOTE);
    return is;
  } catch {
    return false;
  }
}
