// Copies text; where the clipboard is out of reach, selects it, which is one keystroke away from a copy.

/** True when it was copied; false when `shown`, the element that shows it, was selected instead. */
export async function copyText(text: string, shown: Element): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard on plain http, or by the reader's choice.
    getSelection()?.selectAllChildren(shown);
    return false;
  }
}
