// Reads server-sent events from a fetch body (EventSource can't POST), as the HTML standard parses them.

export class EventParser {
  #rest = "";
  #name = "";
  #data = [];
  #afterReturn = false;

  /** The events that `chunk` completes, as {event, data}. A chunk may end anywhere, between CR and LF too. */
  push(chunk) {
    if (this.#afterReturn && chunk.startsWith("\n")) chunk = chunk.slice(1);
    else if (!chunk) return [];
    this.#afterReturn = chunk.endsWith("\r");
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return []; // a comment: the server's sign of life
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    return [];
  }

  #dispatch() {
    const found = this.#data.length ? [{ event: this.#name || "message", data: this.#data.join("\n") }] : [];
    this.#name = "";
    this.#data = [];
    return found;
  }
}

/** Every event of a response body. An event that the stream's end cuts off is dropped. `onBytes` is called at each sign of life. */
export async function* readEvents(body, onBytes = () => {}) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      onBytes();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
