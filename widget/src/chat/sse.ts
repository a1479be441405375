// Reads server-sent events from a fetch body (EventSource cannot POST), as the HTML standard parses them.

export interface ServerEvent {
  event: string;
  data: string;
}

export class EventParser {
  #rest = '';
  #name = '';
  #data: string[] = [];
  #afterReturn = false;

  /** The events that `chunk` completes. A chunk may end anywhere, between CR and LF too. */
  push(chunk: string): ServerEvent[] {
    if (!chunk) return [];
    const text = this.#afterReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#afterReturn = chunk.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return []; // a comment: the server's sign of life
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    return [];
  }

  #dispatch(): ServerEvent[] {
    const found = this.#data.length ? [{event: this.#name || 'message', data: this.#data.join('\n')}] : [];
    this.#name = '';
    this.#data = [];
    return found;
  }
}

/** Every event of a response body; one that the stream's end cuts off is dropped. `onBytes`: called at each sign of life. */
export async function* readEvents(body: ReadableStream<Uint8Array>, onBytes: () => void = () => {}): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      onBytes();
      yield* parser.push(decoder.decode(value, {stream: true}));
    }
  } finally {
    // Whoever stops reading lets the server stop writing; a body that failed cannot be cancelled, and need not be.
    reader.cancel().catch(() => {});
  }
}
