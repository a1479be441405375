// Ways to open the panel, and that it opens by no other.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {skip, world} from './harness/world.mjs';

suite('opening', {skip}, () => {
  const site = world();

  test('the launcher opens the panel, says so, and the field has the focus', async () => {
    const reader = await site.opens();
    assert.equal(await reader.launcher.innerText(), 'Ask AI');
    assert.equal(await reader.launcher.getAttribute('aria-haspopup'), 'dialog');
    assert.equal(await reader.launcher.getAttribute('aria-keyshortcuts'), 'Control+i');
    await reader.open();
    await reader.until(() => reader.hasFocus(reader.field), 'the field has the focus');
  });

  test('the launcher is in no static page and once in a page that runs', async () => {
    const reader = await site.opens('/docs/');
    const html = await (await fetch(`${site.url}/docs/`)).text();
    assert.ok(!html.includes('ask-docs-launcher'));
    assert.equal(await reader.launcher.count(), 1);
  });

  test("the site's own Root stands beside the widget", async () => {
    const reader = await site.opens();
    assert.equal(await reader.page.locator('[data-own-root]').count(), 1);
    assert.equal(await reader.launcher.count(), 1);
  });

  test('a part of the site with data-ask-docs opens it and gets the focus back', async () => {
    const reader = await site.opens();
    const opener = reader.page.locator('.navbar [data-ask-docs]');
    await opener.click();
    await reader.until(() => reader.hasFocus(reader.field), 'the field has the focus');
    await reader.page.keyboard.press('Escape');
    await reader.panel.waitFor({state: 'hidden'});
    await reader.until(() => reader.hasFocus(opener), 'the opener has the focus');
  });

  test('the shortcut opens it from the page', async () => {
    const reader = await site.opens();
    await reader.page.keyboard.press('Control+i');
    await reader.panel.waitFor();
  });

  test('the shortcut is left to a field of the page', async () => {
    const reader = await site.opens('/docs/guides/groups');
    await reader.page.getByRole('textbox', {name: 'Name of a group'}).focus();
    await reader.page.keyboard.press('Control+i');
    await reader.page.keyboard.press('Control+Shift+i');
    await reader.js(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.equal(await reader.panel.count(), 0, 'the code of the panel was not even loaded');
  });

  test('closing gives the focus back to the launcher', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.button('Close').click();
    await reader.panel.waitFor({state: 'hidden'});
    await reader.until(() => reader.hasFocus(reader.launcher), 'the launcher has the focus');
  });

  test('a link with ?ask= opens it with the question and asks nothing by itself', async () => {
    const reader = await site.opens('/docs/lamps?ask=How%20far%20does%20it%20reach%3F');
    await reader.panel.waitFor();
    await reader.until(async () => (await reader.field.inputValue()) === 'How far does it reach?', 'the question is in the field');
    assert.equal(site.api.asked.length, 0);
  });

  test('an event of the page opens it and may have the question sent', async () => {
    const reader = await site.opens();
    await reader.js(() => dispatchEvent(new CustomEvent('ask-docs:open', {detail: {query: 'How do I reset it?', send: true}})));
    await reader.sees('Answered from the docs');
    assert.equal(site.api.asked[0].body.query, 'How do I reset it?');
  });

  test('selected text gets a button, and never a panel by itself', async () => {
    const reader = await site.opens();
    await reader.page.getByText('Hold the button of the lamp').selectText();
    const about = reader.page.getByRole('button', {name: 'Ask about this'});
    await about.waitFor();
    assert.equal(await reader.panel.filter({visible: true}).count(), 0);
    await about.click();
    await reader.sees('About your selection:');
    await reader.asked('Why?');
    assert.match(site.api.asked[0].body.context.selection, /^Hold the button of the lamp/);
  });

  test('starters come from the headings of the page and are asked at a press', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.button('How do I pair a lamp?').click();
    await reader.sees('Answered from the docs');
    assert.equal(site.api.asked[0].body.query, 'How do I pair a lamp?');
    assert.equal(await reader.button('How do I reset a lamp?').count(), 0, 'the starters make room for the conversation');
  });

  test('a panel whose code cannot be loaded is offered again', async () => {
    const reader = await site.opens();
    let broken = true;
    await reader.context.route('**/assets/js/**', (route) => (broken ? route.abort() : route.continue()));
    await reader.page.keyboard.press('Control+i');
    await reader.launcher.getByText('Loading failed. Try again').waitFor();
    assert.ok(await reader.hasFocus(reader.launcher), 'the focus is where the next try is, and so it is read out');
    broken = false;
    await reader.launcher.click();
    await reader.panel.waitFor();
    assert.equal(await reader.launcher.innerText(), 'Ask AI');
    reader.faults = reader.faults.filter((fault) => !/chunk|Loading/i.test(fault));
  });

  test('on a wide screen it stands beside the page, which stays usable', async () => {
    const reader = await site.opens('/docs/lamps', {viewport: {width: 1280, height: 800}});
    await reader.open();
    const box = await reader.panel.boundingBox();
    assert.ok(box.x > 640 && Math.round(box.x + box.width) === 1280, JSON.stringify(box));
    await reader.link('Install', reader.nav).click();
    await reader.until(() => reader.path() === '/docs/install', 'the page changed');
    assert.ok(await reader.panel.isVisible());
  });

  test('on a phone it is a sheet over the page, within the screen', async () => {
    const reader = await site.opens('/docs/lamps', {viewport: {width: 360, height: 640}, hasTouch: true, isMobile: true});
    await reader.open();
    const box = await reader.panel.boundingBox();
    assert.ok(box.x === 0 && box.width === 360 && box.y >= 0 && box.y + box.height <= 640, JSON.stringify(box));
    await reader.asked();
    assert.ok((await reader.js(() => document.documentElement.scrollWidth)) <= 360, 'nothing sticks out');
  });

  test('it is opened, asked and answered without one request to another host', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.asked();
    const hosts = new Set(reader.requests.map((request) => new URL(request.url())).filter(({protocol}) => protocol !== 'data:').map(({host}) => host));
    assert.deepEqual([...hosts], [new URL(site.url).host]);
    assert.deepEqual(await reader.context.cookies(), []);
  });

  test('what the owner counts by is told in events, without the question', async () => {
    const reader = await site.opens();
    await reader.js(() => {
      window.told = [];
      for (const name of ['opened', 'asked', 'answered', 'rated', 'closed']) addEventListener(`ask-docs:${name}`, (event) => window.told.push([name, event.detail]));
    });
    await reader.open();
    await reader.asked('Is this secret?');
    await reader.button('This answer helps').click();
    await reader.until(() => site.api.rated.length, 'the rating came');
    await reader.button('Close').click();
    const told = await reader.until(async () => {
      const events = await reader.js(() => window.told);
      return events.length === 5 && events;
    }, 'five events were told');
    assert.deepEqual(told.map(([name]) => name), ['opened', 'asked', 'answered', 'rated', 'closed']);
    assert.ok(!JSON.stringify(told).includes('secret'));
    assert.equal(told[2][1].outcome, 'answered');
  });
});
