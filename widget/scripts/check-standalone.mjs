// Fails when the standalone files committed with the backend's demo page are not what the sources make.

import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {standaloneBundle} from './bundles.mjs';
import {DEMO_FILES, demoFolder} from './demo.mjs';

const demo = await demoFolder();
const fresh = await mkdtemp(`${tmpdir()}/ask-docs-`);
try {
  await standaloneBundle(fresh);
  for (const name of DEMO_FILES) {
    const committed = await readFile(`${demo}/${name}`).catch(() => Buffer.alloc(0));
    if (!committed.equals(await readFile(`${fresh}/${name}`))) {
      console.error(`demo/${name} is not what the sources make: run "npm run build" in widget/ and commit it`);
      process.exitCode = 1;
    }
  }
} finally {
  await rm(fresh, {recursive: true});
}
if (!process.exitCode) console.log(`up to date: ${DEMO_FILES.join(', ')}`);
