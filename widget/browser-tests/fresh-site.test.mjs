// A stranger's site: made by create-docusaurus, given the packed widget by three lines, built, and answered for by the service.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {serveForReal} from './harness/backend.mjs';
import {freshSite} from './harness/fresh-site.mjs';
import {skip, world} from './harness/world.mjs';

const wanted = process.env.FRESH_SITE === '1' || process.env.REQUIRE_BROWSER === '1';

suite('a fresh classic site', {skip: skip || (wanted ? false : 'installs a whole site: set FRESH_SITE=1')}, () => {
  const site = world({site: async () => serveForReal(await freshSite(), {SITE: 'fresh', SITE_TITLE: 'My Site'})});

  test('it has the launcher, and a question is answered from its pages', async () => {
    const reader = await site.opens('/docs/intro');
    assert.equal(await reader.launcher.count(), 1);
    await reader.open();
    await reader.asked('How do I create a document?');
    await reader.panel.locator('.ask-docs-marker').first().click();
    await reader.until(() => reader.path().startsWith('/docs/tutorial-basics/'), 'a page of the tutorial was opened');
    assert.ok(await reader.panel.isVisible());
  });
});
