// One browser, one site and one stand-in for a file of tests; a fresh tab for each test, watched for what must never happen.

import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {after, afterEach, before} from 'node:test';

import {chromium} from 'playwright-core';

import {buildFixture} from './fixture-site.mjs';
import {Reader} from './reader.mjs';
import {serveSite} from './site-server.mjs';
import {StandIn} from './stand-in.mjs';

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
/** Why the tests of this file are left out, if they are; with REQUIRE_BROWSER=1 they fail instead. */
export const skip = CHROMIUM || process.env.REQUIRE_BROWSER === '1' ? false : 'Chromium is not installed';
/** Longest wait for something to show. Generous: it is waited for no longer than it takes. */
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 15_000);

export async function launch() {
  assert.ok(CHROMIUM, 'Chromium is not installed');
  return chromium.launch({executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage']});
}

/** Set up before the tests of a file, taken down after them. `site`: gives the address of a site of another kind. */
export function world({site} = {}) {
  const one = {api: new StandIn(), readers: []};
  if (skip) return one;
  before(async () => {
    const served = site ? await site() : await serveSite(await buildFixture('asking'), one.api);
    Object.assign(one, {url: served.url, served, browser: await launch()});
  });
  after(async () => {
    await one.browser?.close();
    await one.served?.close();
  });
  afterEach(async () => {
    const faults = one.readers.flatMap((reader) => reader.faults);
    await Promise.all(one.readers.map((reader) => reader.close()));
    one.readers = [];
    one.api.forget();
    assert.deepEqual(faults, [], 'what must never happen on any page');
  });
  /** A reader with a tab of their own at `path`. `options`: Playwright's, of a browser context. */
  one.opens = async (path = '/docs/lamps', options = {}) => {
    const context = await one.browser.newContext({baseURL: one.url, locale: 'en-US', ...options});
    context.setDefaultTimeout(PATIENCE_MS);
    const reader = await Reader.in(context, one.url);
    one.readers.push(reader);
    await reader.visit(path);
    return reader;
  };
  return one;
}
