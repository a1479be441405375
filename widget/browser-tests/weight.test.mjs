// What the widget weighs: on every page, and when it is first opened. Figures of built sites, compressed as a host would.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {suite, test} from 'node:test';
import {gzipSync} from 'node:zlib';

import {buildFixture, buildOf} from './harness/fixture-site.mjs';
import {skip, world} from './harness/world.mjs';

const EVERY_PAGE_BYTES = 1000;
const FIRST_OPEN_BYTES = 35_000;

const compressed = (file) => gzipSync(readFileSync(file), {level: 9}).length;

/** Bytes of the scripts and styles that a page names in its HTML. */
function pageWeight(build) {
  const html = readFileSync(join(build, 'docs', 'lamps', 'index.html'), 'utf8');
  const files = [...html.matchAll(/(?:src|href)=["']?(\/assets\/[^"' >]+\.(?:js|css))/g)].map(([, path]) => path);
  assert.ok(files.length >= 3, html);
  return [...new Set(files)].reduce((sum, path) => sum + compressed(join(build, path)), 0);
}

suite('weight', {skip}, () => {
  const site = world();

  test(`a page gets less than ${EVERY_PAGE_BYTES} bytes heavier`, async (t) => {
    const plain = pageWeight(await buildFixture('plain'));
    const added = pageWeight(await buildFixture('asking')) - plain;
    t.diagnostic(`${added} bytes more on a page of ${plain} bytes`);
    assert.ok(added < EVERY_PAGE_BYTES, `${added} bytes`);
  });

  test(`the first opening loads less than ${FIRST_OPEN_BYTES} bytes, and nothing is loaded before it`, async (t) => {
    const reader = await site.opens();
    await reader.page.waitForLoadState('networkidle');
    const own = (requests) => requests.map((request) => new URL(request.url()).pathname).filter((path) => path.startsWith('/assets/'));
    const before = own(reader.requests);
    await reader.open();
    await reader.page.waitForLoadState('networkidle');
    const loaded = own(reader.requests).slice(before.length);
    const bytes = loaded.reduce((sum, path) => sum + compressed(join(buildOf('asking'), path)), 0);
    t.diagnostic(`${bytes} bytes in ${loaded.length} files on the first opening`);
    assert.ok(loaded.length > 0);
    assert.ok(bytes < FIRST_OPEN_BYTES, `${bytes} bytes: ${loaded.join(', ')}`);
    const panel = loaded.map((path) => readFileSync(join(buildOf('asking'), path), 'utf8')).join('');
    assert.match(panel, /DOMPurify|purify|sanitize/i, 'what is loaded late is the panel');
  });
});
