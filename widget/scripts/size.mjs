// Measures what a site's readers load, gzipped, and fails above the budgets.

import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {gzipSync} from 'node:zlib';
import {partOfClient, standaloneBundle} from './bundles.mjs';

/** In bytes: what every page of a site gets more, and what the first opening of the panel loads. */
export const BUDGETS = {everyPage: 1_000, firstOpen: 35_000};

const gzipped = (content) => gzipSync(content, {level: 9}).length;

export async function sizes() {
  const folder = await mkdtemp(`${tmpdir()}/ask-docs-size-`);
  try {
    await standaloneBundle(folder);
    return {
      everyPage: gzipped(await partOfClient('src/client/index.ts')),
      firstOpen: gzipped(await partOfClient('src/client/panel.ts')),
      standaloneEveryPage: gzipped(await readFile(`${folder}/ask-docs.js`)),
      standaloneFirstOpen: gzipped(await readFile(`${folder}/ask-docs-panel.js`)),
    };
  } finally {
    await rm(folder, {recursive: true});
  }
}

if (process.argv[1] === import.meta.filename) {
  for (const [part, bytes] of Object.entries(await sizes())) {
    const most = BUDGETS[part];
    console.log(`${part.padEnd(20)} ${String(bytes).padStart(6)} B gz${most ? ` of ${most}` : ''}`);
    if (most && bytes > most) process.exitCode = 1;
  }
}
