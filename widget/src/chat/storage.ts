// Keeps the conversation for as long as the tab lives: sessionStorage, and nothing when the browser refuses it.

import type {Turn} from './turn';
import {halted} from './turn';

export interface Kept {
  visitor: string | null;
  conversation: string | null;
  turns: Turn[];
}

/** More would make every write of the page slow, and nobody scrolls back that far. */
const MOST_TURNS = 30;

export class ConversationStorage {
  readonly #key: string;
  readonly #area: () => Storage;

  /** `apiUrl`: two services on one site are kept apart. `area`: throws where the browser refuses storage. */
  constructor(apiUrl: string, area: () => Storage = () => sessionStorage) {
    this.#key = `ask-docs:${apiUrl}`;
    this.#area = area;
  }

  read(): Kept {
    try {
      const kept = JSON.parse(this.#area().getItem(this.#key) ?? '{}') as Partial<Kept>;
      return {
        visitor: typeof kept.visitor === 'string' ? kept.visitor : null,
        conversation: typeof kept.conversation === 'string' ? kept.conversation : null,
        turns: Array.isArray(kept.turns) ? kept.turns.filter(isTurn).map(halted) : [],
      };
    } catch {
      return {visitor: null, conversation: null, turns: []};
    }
  }

  write(kept: Kept): void {
    try {
      this.#area().setItem(this.#key, JSON.stringify({...kept, turns: kept.turns.slice(-MOST_TURNS)}));
    } catch {
      // Full or forbidden: the conversation lives on in memory, until the page is left.
    }
  }
}

function isTurn(value: unknown): value is Turn {
  const turn = value as Partial<Turn> | null;
  return (
    typeof turn?.id === 'string' &&
    typeof turn.question === 'string' &&
    typeof turn.text === 'string' &&
    Array.isArray(turn.sources) &&
    Array.isArray(turn.nearest)
  );
}
