// The conversation: its turns, the one that is under way, and what is kept of it. The panel draws it and calls its verbs.

import {ask, rate, type Endpoint} from './api';
import {ChatFailure} from './problem';
import type {ConversationStorage} from './storage';
import {after, failed, halted, newTurn, restarted, type Turn} from './turn';
import type {AskContext, ChatEvent} from './types';

export interface Surroundings {
  apiUrl: string;
  siteKey?: string | undefined;
  /** Where the reader is now. */
  context(): AskContext;
  /** Told of what happened, with the turn it happened to. */
  onAsked(turn: Turn): void;
  onAnswered(turn: Turn, milliseconds: number): void;
  onRated(turn: Turn): void;
}

export class Conversation {
  #turns: Turn[];
  #id: string | null;
  #visitor: string | null;
  #stopper: AbortController | null = null;
  #frame = 0;
  readonly #watchers = new Set<() => void>();
  readonly #endpoint: Endpoint;

  constructor(
    private readonly around: Surroundings,
    private readonly storage: ConversationStorage,
  ) {
    const kept = storage.read();
    this.#turns = kept.turns;
    this.#id = kept.conversation;
    this.#visitor = kept.visitor;
    this.#endpoint = {
      apiUrl: around.apiUrl,
      siteKey: around.siteKey,
      visitor: () => this.#visitor,
      onVisitor: (id) => {
        this.#visitor = id;
      },
    };
  }

  /** A new list whenever a turn, or `busy`, changed. */
  readonly turns = (): readonly Turn[] => this.#turns;

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  get busy(): boolean {
    return this.#stopper !== null;
  }

  /** Asks a question, unless one is under way. */
  async send(question: string, selection: string | null, about: Turn['about']): Promise<void> {
    const query = question.trim();
    if (!query || this.busy) return;
    const turn = newTurn(query, selection, about);
    this.#turns = [...this.#turns, turn];
    this.around.onAsked(turn);
    await this.#answer(turn);
  }

  /** Asks the question of a turn again, in its place, unless its time has not come yet. */
  async retry(turn: Turn): Promise<void> {
    if (this.busy || turn.retryAt > Date.now()) return;
    const again = restarted(turn);
    this.#replace(turn.id, again);
    await this.#answer(again);
  }

  readonly stop = (): void => this.#stopper?.abort();

  readonly startAnew = (): void => {
    this.stop();
    this.#stopper = null;
    this.#id = null;
    this.#turns = [];
    this.keep();
    this.#tell();
  };

  /** Rates an answer. Throws ChatFailure; the rating then stays what it was. */
  async rate(turn: Turn, rating: 'up' | 'down', comment?: string): Promise<void> {
    if (!turn.messageId) return;
    await rate(this.#endpoint, turn.messageId, rating, comment);
    const rated = {...turn, rating};
    this.#replace(turn.id, rated);
    this.keep();
    this.#tell();
    this.around.onRated(rated);
  }

  async #answer(asked: Turn): Promise<void> {
    const mine = new AbortController();
    const began = performance.now();
    this.#stopper = mine;
    let turn = asked;
    this.#tell();
    const {selection, ...where} = this.around.context();
    const about = asked.selection ?? selection;
    const request = {
      query: asked.question,
      client_message_id: asked.id,
      context: about ? {...where, selection: about} : where,
      ...(this.#id ? {conversation_id: this.#id} : {}),
    };
    try {
      for await (const event of ask(this.#endpoint, request, mine.signal)) {
        if (this.#stopper !== mine) return; // a new chat was begun meanwhile
        turn = after(turn, event);
        this.#replace(asked.id, turn);
        this.#take(event);
        this.#show(event, turn);
      }
    } catch (error) {
      if (this.#stopper !== mine) return;
      if (error instanceof ChatFailure) turn = failed(turn, error.problem, Date.now());
      else if (mine.signal.aborted) turn = halted(turn);
      else throw error;
      this.#replace(asked.id, turn);
    } finally {
      if (this.#stopper === mine) {
        this.#stopper = null;
        this.#turns = [...this.#turns]; // a new list, for whoever asks whether it is busy when the list changes
        this.keep();
        this.#tell();
        this.around.onAnswered(turn, Math.round(performance.now() - began));
      }
    }
  }

  #take(event: ChatEvent): void {
    // Also a new id for one that was unknown or expired: the next question goes on with what the service knows.
    if (event.type !== 'start') return;
    this.#id = event.conversation_id || this.#id;
    this.keep();
  }

  #replace(id: string, turn: Turn): void {
    this.#turns = this.#turns.map((one) => (one.id === id ? turn : one));
  }

  /** The first piece is drawn at once; the others at most once a frame, for they may come faster than a screen shows them. */
  #show(event: ChatEvent, turn: Turn): void {
    if (event.type !== 'delta' || turn.text === event.text) this.#tell();
    else this.#frame ||= requestAnimationFrame(() => this.#tell());
  }

  #tell(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const watcher of this.#watchers) watcher();
  }

  /** Stores what there is; also called when the page is left in the midst of an answer. */
  readonly keep = (): void => {
    this.storage.write({visitor: this.#visitor, conversation: this.#id, turns: this.#turns});
  };
}
