// Nothing that comes in an answer runs, asks another host, or leads to one; whichever field it comes in, whole or in letters.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {EVIL_URLS, PAYLOADS} from './harness/payloads.mjs';
import {answer, fails, notInDocs, refuse, source} from './harness/stand-in.mjs';
import {skip, world} from './harness/world.mjs';

const HARMLESS = new Set(
  'A ARTICLE ASIDE BLOCKQUOTE BR BUTTON CODE DD DEL DETAILS DIALOG DIV DL DT EM FOOTER FORM H2 H3 H4 HEADER HR KBD LABEL LI OL P PRE SECTION SMALL SPAN STRONG SUMMARY SUP TABLE TBODY TD TEXTAREA TH THEAD TR UL'.split(' '),
);

suite('hostile answers', {skip}, () => {
  const site = world();

  /** What of the panel could do harm. Icons of our own are SVG and have none of it. */
  const harm = (reader) =>
    reader.panel.evaluate((panel, allowed) => {
      const all = [...panel.querySelectorAll('*')];
      const icons = (one) => one.closest('svg')?.getAttribute('aria-hidden') === 'true';
      return [
        ...all.filter((one) => !allowed.includes(one.tagName) && !icons(one)).map((one) => `element ${one.tagName}`),
        ...all.flatMap((one) => [...one.attributes].filter(({name}) => /^on|^style$|^srcdoc$|^formaction$/.test(name) && one.role !== 'tooltip').map(({name}) => `${one.tagName} ${name}`)),
        ...all.filter((one) => one.id && !/^(ask-docs|_r_)/.test(one.id)).map((one) => `id ${one.id}`),
        ...all.filter((one) => one.hasAttribute('data-ask-docs')).map(() => 'opens the panel'),
        ...[...panel.querySelectorAll('a[href]')].filter((one) => one.origin !== location.origin).map((one) => `link to ${one.href}`),
        ...(window.hit ? ['script ran'] : []),
      ];
    }, [...HARMLESS]);

  const settled = (reader) => reader.js(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 50)));

  test(`${PAYLOADS.length} payloads in the text of an answer are inert`, async () => {
    const reader = await site.opens('/docs/lamps', {viewport: {width: 1280, height: 800}});
    await reader.open();
    for (const payload of PAYLOADS) {
      site.api.will(answer([`Before ${payload}\n\nAfter [1].`]));
      await reader.asked('x');
      await settled(reader);
      assert.deepEqual(await harm(reader), [], payload);
      assert.equal(await reader.js(() => document.title.includes('Lamps') && getComputedStyle(document.body).display), 'block', payload);
      await reader.button('New chat').click();
    }
  });

  test('payloads that come letter by letter are inert at every moment', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.js(() => {
      window.seen = [];
      new MutationObserver((changes) => {
        for (const {addedNodes} of changes) for (const node of addedNodes) if (/^(SCRIPT|IMG|IFRAME|OBJECT|EMBED|STYLE|LINK|FORM|INPUT|VIDEO|AUDIO|BASE|META)$/.test(node.nodeName) && node.closest('.ask-docs')) window.seen.push(node.outerHTML);
      }).observe(document.body, {subtree: true, childList: true});
    });
    const before = await reader.js(() => window.seen.length);
    site.api.will(answer(Array.from(PAYLOADS.slice(0, 24).join('\n\n')), {pause: 0}));
    await reader.asked('x');
    await settled(reader);
    assert.deepEqual(await harm(reader), []);
    assert.deepEqual((await reader.js(() => window.seen)).slice(before), []);
  });

  test('payloads in titles, headings, snippets and addresses of sources are inert', async () => {
    const reader = await site.opens();
    await reader.open();
    const sources = PAYLOADS.map((payload, place) => source(place + 1, [payload, payload], EVIL_URLS[place % EVIL_URLS.length], payload));
    const text = sources.map(({id}) => `[${id}]`).join(' ');
    site.api.will(answer([text], {sources}), answer(['No.'], {outcome: 'not_in_docs', sources: [], nearest: sources}));
    await reader.asked('x');
    await settled(reader);
    assert.deepEqual(await harm(reader), []);
    for (const marker of await reader.panel.locator('.ask-docs-marker').all()) await marker.hover({force: true, timeout: 2000}).catch(() => {});
    await reader.asked('y', 'Not in the documentation');
    await settled(reader);
    assert.deepEqual(await harm(reader), []);
    assert.equal(reader.path(), '/docs/lamps');
  });

  test('payloads in every other field are inert', async () => {
    const reader = await site.opens();
    await reader.open();
    const evil = PAYLOADS.slice(0, 12).join(' ');
    site.api.will(
      async (stream) => {
        stream.begin();
        stream.event({type: 'status', stage: evil, text: evil});
        stream.event({type: evil, text: evil});
        stream.event({type: 'sources', sources: 'no list', nearest: [null, 7, {id: {}, url: 5, heading_path: [evil, 1]}]});
        stream.event({type: 'delta', text: {toString: evil}});
        stream.event({type: 'done', outcome: evil, degraded: [evil, 5], mode: evil, finish_reason: evil, citations: [{source_id: '1', start: -1, end: 1e9}, 5, null], sources: [null], nearest: 'x', scope: evil, understood_as: evil});
        stream.end();
      },
      fails(evil),
      refuse(418, {detail: evil, title: evil, slug: evil}),
      refuse(503, {retryAfter: `0" onload="${evil.replace(/[\r\n]/g, '')}`.replace(/[^\x20-\x7e]/g, ''), slug: 'unknown'}),
    );
    for (let question = 0; question < 4; question += 1) {
      await reader.ask('x');
      await reader.until(() => site.api.asked.length === question + 1, 'it was asked');
      await reader.isIdle();
      await settled(reader);
      assert.deepEqual(await harm(reader), []);
    }
  });

  test('what a reader asks, selects or is sent by a link is shown as text', async () => {
    const reader = await site.opens(`/docs/lamps?ask=${encodeURIComponent(PAYLOADS[1])}`);
    await reader.panel.waitFor();
    await reader.until(async () => (await reader.field.inputValue()) === PAYLOADS[1], 'the question is in the field');
    await reader.field.press('Enter');
    await reader.sees('Answered from the docs');
    assert.deepEqual(await harm(reader), []);
    assert.ok((await reader.text()).includes(PAYLOADS[1]));
  });

  test('a conversation that something else wrote into the storage is shown as text or not at all', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.asked('x');
    await reader.js((payloads) => {
      const key = Object.keys(sessionStorage).find((one) => one.startsWith('ask-docs:/'));
      const kept = JSON.parse(sessionStorage[key]);
      const [turn] = kept.turns;
      const evil = payloads.join('\n\n');
      kept.turns = [null, 5, {}, {...turn, text: evil, question: evil, sources: turn.sources.map((one) => ({...one, url: 'javascript:window.hit=1'}))}];
      addEventListener('pagehide', () => (sessionStorage[key] = JSON.stringify(kept)));
    }, PAYLOADS);
    await reader.page.reload();
    await reader.page.waitForFunction(() => document.documentElement.dataset.hasHydrated === 'true');
    if (!(await reader.panel.isVisible())) await reader.open();
    await settled(reader);
    assert.deepEqual(await harm(reader), []);
  });

  test('a link to the page in an answer to "not in the docs" never bears a marker', async () => {
    const reader = await site.opens();
    await reader.open();
    site.api.will(notInDocs());
    await reader.asked('x', 'Not in the documentation');
    assert.deepEqual(await harm(reader), []);
  });
});
