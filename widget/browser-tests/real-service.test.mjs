// The widget on a built site that the real service serves and answers for, offline, from the site's own index.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {serveForReal} from './harness/backend.mjs';
import {buildFixture} from './harness/fixture-site.mjs';
import {skip, world} from './harness/world.mjs';

suite('the real service', {skip}, () => {
  const site = world({site: async () => serveForReal(await buildFixture('asking'), {SITE: 'lantern', SITE_TITLE: 'Lantern'})});

  test('a question is answered from the site, and its source opens the heading in place', async () => {
    const reader = await site.opens('/docs/');
    await reader.js(() => (window.sameDocument = true));
    await reader.open();
    await reader.asked('How do I pair a lamp with the hub?');
    assert.match(await reader.text(), /three seconds/);
    const marker = reader.panel.locator('.ask-docs-marker').first();
    await marker.click();
    await reader.until(() => reader.path() === '/docs/lamps#pair-a-lamp', 'the heading was opened');
    assert.equal(await reader.js(() => window.sameDocument), true);
    assert.ok(await reader.panel.isVisible());
  });

  test('a follow-up is understood in the light of what was asked', async () => {
    const reader = await site.opens('/docs/');
    await reader.open();
    await reader.asked('How do I install Lantern with Docker?');
    await reader.asked('And on Windows?');
    assert.match(await reader.text(), /Download the installer/);
  });

  test('what the site does not say is said not to be there', async () => {
    const reader = await site.opens('/docs/');
    await reader.open();
    await reader.asked('Who won the football world cup in 1954?', 'Not in the documentation');
    assert.equal(await reader.panel.locator('.ask-docs-marker').count(), 0);
  });

  test('an answer can be rated, and the rating changed with a comment', async () => {
    const reader = await site.opens('/docs/');
    await reader.open();
    await reader.asked('How do I reset a lamp?');
    const [reply] = await Promise.all([reader.page.waitForResponse('**/feedback'), reader.button('This answer helps').click()]);
    assert.ok(reply.ok(), `${reply.status()}`);
    await reader.sees('Thank you, your rating was sent.');
    const [changed] = await Promise.all([reader.page.waitForResponse('**/feedback'), reader.button('This answer does not help').click()]);
    assert.ok(changed.ok());
  });

  test('the answer and the conversation survive a reload and go on', async () => {
    const reader = await site.opens('/docs/install');
    await reader.open();
    await reader.asked('How do I install Lantern with Docker?');
    await reader.page.reload();
    await reader.open();
    await reader.sees('How do I install Lantern with Docker?');
    await reader.asked('And on Windows?');
    assert.match(await reader.text(), /Download the installer/);
  });

  test('an address that does not exist shows the site’s own page, with the widget on it', async () => {
    const reader = await site.opens('/docs/nowhere');
    await reader.page.getByRole('heading', {name: 'Page Not Found'}).waitFor();
    await reader.open();
    await reader.asked('How do I pair a lamp?');
  });
});
