// Asks as useChat does: the package's own transport sends, its own reader reads. One JSON object a line goes in, one comes out:
// {api, visitor, key, chatId, messages, trigger, body, resume, short} in; {message, status, error, statusCode, resumed} out.
import { createInterface } from 'node:readline';
import { DefaultChatTransport, readUIMessageStream } from 'ai';

// As in website/docs/ai-sdk.md.
const lastTwo = ({ id, messages, trigger, headers }) => ({ headers, body: { id, trigger, messages: messages.slice(-2) } });

async function ask({ api, visitor, key, chatId, messages, trigger, body, resume, short }) {
  const headers = { 'X-Visitor-Id': visitor, ...(key ? { 'X-Site-Key': key } : {}) };
  const transport = new DefaultChatTransport({ api, headers, body, prepareSendMessagesRequest: short ? lastTwo : undefined });
  const told = { message: null, status: [], error: null, statusCode: null };
  try {
    if (resume) return { ...told, resumed: await transport.reconnectToStream({ chatId }) };
    const stream = await transport.sendMessages({ chatId, messages, trigger, messageId: undefined, abortSignal: undefined });
    const chunks = stream.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        if (chunk.type === 'data-status') told.status.push(chunk.data.stage);
        controller.enqueue(chunk);
      },
    }));
    const onError = (error) => { told.error = error.message; };
    for await (const message of readUIMessageStream({ stream: chunks, onError })) told.message = message;
  } catch (error) {
    told.error = error.message;
    told.statusCode = error.statusCode ?? null;
  }
  return told;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await ask(JSON.parse(line)))}\n`);
}
