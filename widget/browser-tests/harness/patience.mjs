// Waiting for something to become so: as long as a busy machine may need, and no longer than it takes.

import {setTimeout as wait} from 'node:timers/promises';

const LIMIT_MS = Number(process.env.PATIENCE_MS ?? 15_000);

/** The first true value of `found`, asked again and again. Throws with `what` when it never comes. */
export async function expectSoon(found, what = String(found)) {
  const end = Date.now() + LIMIT_MS;
  let value;
  do {
    value = await found();
    if (value) return value;
    await wait(25);
  } while (Date.now() < end);
  throw new Error(`In ${LIMIT_MS} ms it did not come to be: ${what}`);
}
