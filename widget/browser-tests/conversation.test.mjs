// What holds beyond one answer: sources that open in the site, follow-ups, the conversation after a reload, ratings, copies.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {answer, PAIR, TEXT} from './harness/stand-in.mjs';
import {skip, world} from './harness/world.mjs';

suite('conversation', {skip}, () => {
  const site = world();
  const ready = async (path, options) => {
    const reader = await site.opens(path, options);
    await reader.open();
    return reader;
  };

  test('a marker opens its heading within the site; the panel and the conversation stay', async () => {
    const reader = await ready('/docs/');
    await reader.js(() => (window.sameDocument = true));
    await reader.asked();
    await reader.panel.locator('.ask-docs-marker').first().click();
    await reader.until(() => reader.path() === '/docs/lamps#pair-a-lamp', 'the address changed');
    await reader.until(() => reader.page.locator('h2#pair-a-lamp').isVisible(), 'the heading is there');
    assert.equal(await reader.js(() => window.sameDocument), true, 'no page was loaded anew');
    assert.ok(await reader.panel.isVisible());
    assert.match(await reader.text(), /Hold the button for three seconds/);
    await reader.until(
      () => reader.js(() => Math.abs(document.getElementById('pair-a-lamp').getBoundingClientRect().top) < innerHeight / 2),
      'the heading is in sight',
    );
  });

  test('Back leads to the page before, with the panel and the conversation as they were', async () => {
    const reader = await ready('/docs/');
    await reader.asked();
    await reader.panel.locator('.ask-docs-marker').first().click();
    await reader.page.getByRole('heading', {name: 'Lamps', level: 1}).waitFor();
    await reader.page.goBack();
    await reader.page.getByRole('heading', {name: 'What Lantern is', level: 1}).waitFor();
    assert.ok(await reader.panel.isVisible());
    assert.equal(await reader.turns.count(), 1);
    await reader.page.goForward();
    await reader.page.getByRole('heading', {name: 'Lamps', level: 1}).waitFor();
  });

  test('on a phone a source makes room for its page, and the conversation is still there', async () => {
    const reader = await ready('/docs/', {viewport: {width: 360, height: 740}, hasTouch: true, isMobile: true});
    await reader.asked();
    await reader.panel.locator('.ask-docs-marker').first().tap();
    await reader.until(() => reader.path() === '/docs/lamps#pair-a-lamp', 'the heading was opened');
    await reader.panel.waitFor({state: 'hidden'});
    await reader.open();
    assert.equal(await reader.turns.count(), 1);
  });

  test('pointing at a marker shows what its source says, and Escape sends it away alone', async () => {
    const reader = await ready();
    await reader.asked();
    await reader.panel.locator('.ask-docs-marker').first().focus();
    const snippet = reader.panel.getByRole('tooltip');
    await snippet.getByText('Hold the button of the lamp for three seconds.').waitFor();
    await reader.page.keyboard.press('Escape');
    await snippet.waitFor({state: 'hidden'});
    assert.ok(await reader.panel.isVisible());
  });

  test('sources stand with their path of headings, and lead to the exact heading', async () => {
    const reader = await ready('/docs/');
    await reader.asked();
    const links = reader.panel.getByRole('link').filter({hasText: 'Pair a lamp'});
    assert.match(await links.first().innerText(), /Lamps[^]*Pair a lamp/);
    assert.equal(await links.first().evaluate((link) => link.href), `${site.url}${PAIR.url}`);
    assert.equal(await reader.panel.getByRole('link').filter({hasText: 'Make a group'}).count(), 0, 'a source that is not cited goes');
    await links.first().click();
    await reader.until(() => reader.path() === PAIR.url, 'the address changed');
  });

  test('a source can be opened in a tab of its own', async () => {
    const reader = await ready('/docs/');
    await reader.asked();
    const [tab] = await Promise.all([
      reader.context.waitForEvent('page'),
      reader.panel.locator('.ask-docs-marker').first().click({modifiers: ['Control']}),
    ]);
    await tab.waitForLoadState();
    assert.equal(new URL(tab.url()).pathname, '/docs/lamps');
    assert.equal(reader.path(), '/docs/');
  });

  test('three pages later there is one launcher, and the conversation goes on', async () => {
    const reader = await ready('/docs/');
    await reader.asked('First?');
    for (const name of ['Install', 'Lamps', 'What Lantern is']) {
      await reader.link(name, reader.nav).click();
      await reader.page.getByRole('heading', {name, level: 1}).waitFor();
    }
    assert.equal(await reader.launcher.count(), 1);
    assert.equal(await reader.panel.count(), 1);
    await reader.asked('Second?');
    const [first, second] = site.api.asked;
    assert.equal(first.body.conversation_id, undefined);
    assert.match(second.body.conversation_id, /^c_/);
    assert.equal(second.headers['x-visitor-id'], 'v_standin');
  });

  test('the page a question is asked on is sent with it, after a navigation too', async () => {
    const reader = await ready('/docs/lamps');
    await reader.asked();
    await reader.link('Install', reader.nav).click();
    await reader.until(() => reader.path() === '/docs/install', 'the page changed');
    await reader.asked('And now?');
    assert.deepEqual(site.api.asked.map(({body}) => new URL(body.context.page_url, site.url).pathname), ['/docs/lamps', '/docs/install']);
  });

  test('New chat begins anew: nothing shown, nothing sent of what was', async () => {
    const reader = await ready();
    await reader.asked('First?');
    await reader.button('New chat').click();
    await reader.until(async () => !(await reader.text()).includes('First?'), 'the conversation went');
    assert.ok(await reader.hasFocus(reader.field));
    await reader.asked('Second?');
    assert.equal(site.api.asked[1].body.conversation_id, undefined);
  });

  test('New chat in the midst of an answer stops it', async () => {
    const reader = await ready();
    site.api.will(answer(['Hold ', 'it.'], {held: new Promise(() => {})}));
    await reader.ask();
    await reader.sees('Hold');
    await reader.button('New chat').click();
    assert.equal(await site.api.asked[0].left, true);
    await reader.asked('Second?');
    assert.ok(!(await reader.text()).includes('Hold it'));
  });

  test('after a reload of the page the conversation is there and goes on', async () => {
    const reader = await ready();
    await reader.asked('First?');
    await reader.page.reload();
    await reader.open();
    await reader.sees('First?');
    assert.match(await reader.text(), /Hold the button for three seconds/);
    assert.equal(await reader.panel.locator('.ask-docs-marker').count(), 2);
    await reader.asked('Second?');
    assert.match(site.api.asked[1].body.conversation_id, /^c_/);
  });

  test('the conversation is the tab’s alone: nothing outlives it', async () => {
    const reader = await ready();
    await reader.asked('First?');
    assert.deepEqual(await reader.js(() => Object.keys(localStorage).filter((key) => /ask/i.test(key))), []);
    const tab = await reader.context.newPage();
    await tab.goto(`${site.url}/docs/lamps`);
    await tab.locator('.ask-docs-launcher').click();
    await tab.getByRole('dialog', {name: 'Ask AI'}).waitFor();
    assert.equal(await tab.getByText('First?').count(), 0);
  });

  test('an answer that was under way when the page was reloaded keeps its text and can be asked for again', async () => {
    const reader = await ready();
    site.api.will(answer(['Hold the button ', 'long.'], {held: new Promise(() => {})}));
    await reader.ask();
    await reader.sees('Hold the button');
    await reader.page.reload();
    await reader.open();
    await reader.sees('Hold the button');
    await reader.sees('The answer ends here, incomplete.');
    await reader.button('Try again').click();
    await reader.sees('Answered from the docs');
    assert.equal(site.api.asked[1].body.client_message_id, site.api.asked[0].body.client_message_id);
  });

  test('the answer and its code are copied as they were written', async () => {
    const reader = await ready('/docs/lamps', {permissions: ['clipboard-read', 'clipboard-write']});
    await reader.asked();
    await reader.button('Copy the answer').click();
    await reader.button('Copied').waitFor();
    const copied = await reader.js(() => navigator.clipboard.readText());
    assert.match(copied, /Hold the button for \*\*three seconds\*\*/);
    assert.match(copied, /\/docs\/lamps#pair-a-lamp/, 'the copy says where it is from');
    assert.ok(copied.includes(TEXT[1].trim()));
    await reader.panel.locator('[data-copy]').click();
    await reader.until(async () => (await reader.js(() => navigator.clipboard.readText())).trim() === 'lantern pair --name kitchen', 'the code was copied');
  });

  test('an answer is rated, with a comment where it does not help', async () => {
    const reader = await ready();
    await reader.asked();
    await reader.button('This answer does not help').click();
    const comment = reader.panel.getByRole('textbox', {name: 'What should be better? (optional)'});
    await comment.fill('It is outdated.');
    await reader.button('Send the comment').click();
    await reader.sees('Thank you, your rating was sent.');
    const last = site.api.rated.at(-1);
    assert.equal(last.message_id, 'm_1');
    assert.equal(last.rating, 'down');
    assert.equal(last.comment, 'It is outdated.');
    assert.equal(await reader.button('This answer does not help').getAttribute('aria-pressed'), 'true');
  });

  test('a rating that could not be sent says so', async () => {
    const reader = await ready();
    await reader.asked();
    await reader.context.route('**/feedback', (route) => route.abort());
    await reader.button('This answer helps').click();
    await reader.sees('Your rating could not be sent.');
  });

  test('a question about this page takes the page along', async () => {
    const reader = await ready('/docs/lamps');
    await reader.panel.getByText('About this page').click();
    await reader.asked('What is this?');
    const {context} = site.api.asked[0].body;
    assert.match(context.selection, /Pair a lamp/);
    assert.ok(Array.from(context.selection).length <= 4000);
  });

  test('a selection can be dropped before the question is asked', async () => {
    const reader = await site.opens();
    await reader.page.getByText('Switch the lamp off and on five times').selectText();
    await reader.page.getByRole('button', {name: 'Ask about this'}).click();
    await reader.button('Ask without the selection').click();
    await reader.asked();
    assert.equal(site.api.asked[0].body.context.selection, undefined);
  });
});
