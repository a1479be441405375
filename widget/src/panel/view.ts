// Whether the panel is open, and what it was opened with.

export interface Shown {
  open: boolean;
  /** Text for the question field; `number` grows with each, so that the same text can be given twice. */
  draft: {text: string; number: number};
  /** Text the next question is about. */
  selection: string | null;
}

export class View {
  #shown: Shown = {open: false, draft: {text: '', number: 0}, selection: null};
  readonly #watchers = new Set<() => void>();

  readonly shown = (): Shown => this.#shown;

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  change(part: Partial<Shown>): void {
    this.#shown = {...this.#shown, ...part};
    for (const watcher of this.#watchers) watcher();
  }

  draft(text: string): void {
    this.change({draft: {text, number: this.#shown.draft.number + 1}});
  }
}
