// How an answer comes: piece by piece, stopped, cut off, refused, offline, whole, and in its three outcomes.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {answer, asJson, cut, degraded, fails, notInDocs, refuse} from './harness/stand-in.mjs';
import {skip, world} from './harness/world.mjs';

/** A promise and what fulfils it. */
function gate() {
  let open;
  return {passed: new Promise((resolve) => (open = resolve)), open};
}

suite('answering', {skip}, () => {
  const site = world();
  const ready = async (path) => {
    const reader = await site.opens(path);
    await reader.open();
    return reader;
  };

  test('an answer shows while it is written, with a word on what is going on', async () => {
    const reader = await ready();
    const [searching, last] = [gate(), gate()];
    site.api.will(async (stream) => {
      stream.begin();
      stream.event({type: 'status', stage: 'searching', text: ''});
      await searching.passed;
      stream.event({type: 'status', stage: 'widened', text: ''});
      stream.event({type: 'status', stage: 'a stage of a later version', text: ''});
      stream.event({type: 'sources', sources: [], nearest: []});
      stream.event({type: 'delta', text: 'Hold the button '});
      await last.passed;
      stream.event({type: 'delta', text: 'for three seconds.'});
      stream.event({type: 'done', outcome: 'answered', degraded: [], mode: 'generated', finish_reason: 'stop', citations: [], sources: [], nearest: [], scope: null});
      stream.end();
    });
    await reader.ask();
    await reader.sees('Searching the documentation…');
    searching.open();
    await reader.sees('Hold the button');
    assert.ok(!(await reader.text()).includes('three seconds'));
    assert.ok(await reader.button('Stop the answer').isVisible());
    last.open();
    await reader.sees('Answered from the docs');
    assert.match(await reader.text(), /Hold the button for three seconds\./);
  });

  test('the first piece is on the screen less than 300 ms after it was sent', async (t) => {
    const reader = await ready();
    await reader.asked('Load what is loaded once');
    const took = [];
    for (let round = 0; round < 7; round += 1) {
      const word = `Piece${round}`;
      await reader.js((awaited) => {
        window.seenAt = null;
        const watcher = new MutationObserver(() => {
          if (!document.querySelector('.ask-docs-scroll').innerText.includes(awaited)) return;
          watcher.disconnect();
          requestAnimationFrame(() => (window.seenAt = Date.now())); // as late as it is painted
        });
        watcher.observe(document.documentElement, {subtree: true, childList: true, characterData: true});
      }, word);
      site.api.will(answer([`${word} of an answer. `, 'More. '], {pause: 30}));
      await reader.ask('Again?');
      const seenAt = await reader.until(() => reader.js(() => window.seenAt), 'the piece showed');
      took.push(seenAt - site.api.asked.at(-1).sent.find(({type}) => type === 'delta').at);
      await reader.isIdle();
    }
    took.sort((one, other) => one - other);
    t.diagnostic(`first piece visible after ${took.join(', ')} ms; median ${took[3]} ms`);
    assert.ok(took[3] < 300, `median of ${took}`);
  });

  test('Stop ends the answer here and at the service, and what came is kept', async () => {
    const reader = await ready();
    site.api.will(answer(['Hold the button ', 'for three seconds.'], {held: new Promise(() => {})}));
    await reader.ask();
    await reader.sees('Hold the button');
    await reader.button('Stop the answer').click();
    await reader.sees('Stopped');
    assert.equal(await site.api.asked[0].left, true, 'the service saw the reader leave');
    assert.match(await reader.text(), /Hold the button/);
    await reader.asked('And now?');
  });

  test('a closed tab is a reader who left', async () => {
    const reader = await ready();
    site.api.will(answer(['Hold ', 'it.'], {held: new Promise(() => {})}));
    await reader.ask();
    await reader.sees('Hold');
    await reader.page.close();
    assert.equal(await site.api.asked[0].left, true);
  });

  test('an answer that is cut off says so, and Try again asks the same message again', async () => {
    const reader = await ready();
    site.api.will(cut());
    await reader.ask();
    await reader.sees('The connection closed before the answer was complete.');
    await reader.button('Try again').click();
    await reader.sees('Answered from the docs');
    const [first, second] = site.api.asked;
    assert.equal(second.body.query, first.body.query);
    assert.ok(first.body.client_message_id);
    assert.equal(second.body.client_message_id, first.body.client_message_id);
    assert.equal((await reader.text()).match(/How do I pair a lamp\?/g).length, 1, 'the question stands there once');
  });

  test('a failure in the midst of an answer is told in words for a reader', async () => {
    const reader = await ready();
    site.api.will(fails());
    await reader.ask();
    await reader.sees('The language model is not available right now.');
    assert.ok(await reader.button('Try again').isVisible());
  });

  for (const [status, slug, words] of [
    [429, 'rate-limited', 'You asked a lot in a short time. Please wait a moment.'],
    [503, 'too-many-answers', /Many readers are asking right now|failed to answer|Words of the service/],
  ]) {
    test(`after ${status} it counts down and asks again only then`, async () => {
      const reader = await ready();
      site.api.will(refuse(status, {retryAfter: 2, slug}));
      await reader.ask();
      await reader.sees(words);
      await reader.button(/^Try again in [12] s$/).waitFor();
      const again = reader.panel.getByRole('button', {name: /^Try again/});
      await again.click({force: true});
      assert.equal(site.api.asked.length, 1, 'too early');
      await reader.button('Try again').waitFor();
      await reader.button('Try again').click();
      await reader.sees('Answered from the docs');
      assert.ok(site.api.asked[1].at - site.api.asked[0].at >= 1900);
    });
  }

  test('a question that was not taken offers no second try that must fail', async () => {
    const reader = await ready();
    site.api.will(refuse(422, {slug: 'invalid-request'}));
    await reader.ask();
    await reader.sees('The question could not be taken.');
    assert.equal(await reader.button('Try again').count(), 0);
    assert.ok(await reader.field.isEditable());
  });

  test('a service that is not there is told, with the id of nothing', async () => {
    const reader = await ready();
    await reader.context.route('**/chat/stream', (route) => route.abort('connectionrefused'));
    await reader.ask();
    await reader.sees('The assistant could not be reached.');
  });

  test('without a network it says so, and asks when there is one again', async () => {
    const reader = await ready();
    await reader.asked();
    await reader.context.setOffline(true);
    await reader.sees('You are offline.');
    await reader.context.setOffline(false);
    await reader.until(async () => !(await reader.text()).includes('You are offline.'), 'the notice went');
    await reader.asked('And now?');
    assert.equal(site.api.asked.length, 2);
  });

  test('an answer that comes as a whole, as JSON, is shown like any other', async () => {
    const reader = await ready();
    site.api.will(asJson());
    await reader.asked();
    assert.match(await reader.text(), /Hold the button for three seconds/);
    assert.equal(await reader.link(/^Source 1/).first().getAttribute('href').then((href) => new URL(href, site.url).pathname), '/docs/lamps');
  });

  test('a slow drip of single letters is drawn without holding up the page', async () => {
    const reader = await ready();
    const letters = Array.from('The lamp blinks twice. '.repeat(40));
    site.api.will(answer(letters, {pause: 2}));
    await reader.asked();
    assert.equal((await reader.text()).match(/The lamp blinks twice\./g).length, 40);
  });

  test('an answer is cut into packets anywhere, within a sign too', async () => {
    const reader = await ready();
    site.api.will(async (stream) => {
      stream.begin();
      const done = {type: 'done', outcome: 'answered', degraded: [], mode: 'generated', finish_reason: 'stop', citations: [], sources: [], nearest: [], scope: null};
      const text = 'Größe – 日本 🚀 fertig';
      const bytes = Buffer.from(`: ping\r\n\r\nevent: delta\r\ndata: ${JSON.stringify({type: 'delta', text})}\r\n\r\ndata: ${JSON.stringify(done)}\n\n`);
      for (const byte of bytes) {
        stream.reply.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
      stream.end();
    });
    await reader.asked();
    assert.match(await reader.text(), /Größe – 日本 🚀 fertig/);
  });

  test('what the docs do not say is no answer: closest pages, no sources, no markers', async () => {
    const reader = await ready();
    site.api.will(notInDocs());
    await reader.asked('How do I bake bread?', 'Not in the documentation');
    await reader.sees('Closest pages');
    assert.equal(await reader.panel.getByText('Sources', {exact: true}).count(), 0);
    assert.equal(await reader.panel.locator('.ask-docs-marker').count(), 0);
    assert.equal(await reader.link(/Make a group/).count(), 1);
    await reader.button('This answer does not help').waitFor();
  });

  test('an answer in part says which part failed', async () => {
    const reader = await ready();
    site.api.will(degraded(['generation', 'a part of a later version']));
    await reader.asked('How?', 'Answered in part');
    await reader.sees('The language model was not available');
    await reader.sees('A part of the service was not available');
    assert.equal(await reader.link(/^Source 1/).first().isVisible(), true);
  });

  test('an answer that was cut at its longest length, or widened, says so', async () => {
    const reader = await ready();
    site.api.will(answer(['Long.'], {finish_reason: 'length', sources: [], scope: {version: '1.0', locale: 'en', widened: true}, understood_as: 'How do I pair a lamp on Windows?'}));
    await reader.asked('And on Windows?');
    await reader.sees('The answer was cut at its longest allowed length.');
    await reader.sees('Your version or language of the documentation does not answer this.');
    await reader.sees('Understood as: How do I pair a lamp on Windows?');
  });

  test("an answer's Markdown becomes elements", async () => {
    const reader = await ready();
    site.api.will(answer(['# Title\n\n1. one\n2. two **bold**\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n', '```js\nlet x = 1;\n```\n\n> quote\n\n<b>raw</b>']));
    await reader.asked();
    const found = (selector) => reader.panel.locator(selector).count();
    assert.deepEqual(await Promise.all(['.ask-docs-text ol > li', 'table td', 'pre code', 'blockquote'].map(found)), [2, 2, 1, 1]);
    assert.equal(await reader.panel.getByText('let x = 1;').innerText(), 'let x = 1;');
    assert.match(await reader.text(), /<b>raw<\/b>/, 'raw HTML is shown as the text it is');
  });
});
