// Without a mouse, without sight, in high contrast, and with an input method: what the panel owes every reader.

import assert from 'node:assert/strict';
import {suite, test} from 'node:test';

import {objections} from './harness/axe.mjs';
import {answer, cut, degraded, notInDocs, refuse} from './harness/stand-in.mjs';
import {skip, world} from './harness/world.mjs';

const PHONE = {viewport: {width: 360, height: 740}, hasTouch: true, isMobile: true};

suite('accessibility', {skip}, () => {
  const site = world();

  /** Leads a reader through every state of the panel; `look` is called in each. */
  async function throughStates(reader, look) {
    await look('closed');
    await reader.open();
    await look('open, with starters');
    let finish;
    site.api.will(answer(['Hold the button ', '[1].'], {held: new Promise((resolve) => (finish = resolve))}));
    await reader.ask();
    await reader.sees('Hold the button');
    await look('waiting for the rest of an answer');
    finish();
    await reader.isIdle();
    await reader.panel.locator('.ask-docs-marker').hover();
    await reader.panel.getByRole('tooltip').waitFor();
    await look('answered, with the text of a source');
    await reader.asked('And in full?');
    await look('answered, with code');
    site.api.will(notInDocs());
    await reader.asked('Bread?', 'Not in the documentation');
    await reader.button('This answer does not help').last().click();
    await reader.panel.getByRole('textbox', {name: /What should be better/}).waitFor();
    await look('not in the docs, with a comment');
    site.api.will(degraded());
    await reader.asked('Lamps?', 'Answered in part');
    await look('answered in part');
    site.api.will(refuse(429, {retryAfter: 60, slug: 'rate-limited'}));
    await reader.ask();
    await reader.sees('Please wait a moment.');
    await look('failed, with a countdown');
  }
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, options] of Object.entries({desk: {}, phone: PHONE})) {
      test(`axe finds nothing in any state: ${device}, ${colorScheme}`, async () => {
        const reader = await site.opens('/docs/lamps', {...options, colorScheme, reducedMotion: 'reduce'});
        await throughStates(reader, async (state) => assert.deepEqual(await objections(reader), [], state));
      });
    }
  }

  test('on a phone the focus stays in the sheet, and Escape leaves it', async () => {
    const reader = await site.opens('/docs/lamps', PHONE);
    await reader.open();
    await reader.asked();
    for (let press = 0; press < 40; press += 1) {
      await reader.page.keyboard.press(press % 3 ? 'Tab' : 'Shift+Tab');
      const inside = await reader.js(() => {
        const focused = document.activeElement;
        return focused === document.body || focused.closest('.ask-docs') !== null;
      });
      assert.ok(inside, `press ${press}`);
    }
    await reader.page.keyboard.press('Escape');
    await reader.panel.waitFor({state: 'hidden'});
    await reader.until(() => reader.hasFocus(reader.launcher), 'the launcher has the focus');
  });

  test('on a desk Tab goes round in the panel, and F6 leads out of it and back', async () => {
    const reader = await site.opens();
    await reader.open();
    const isInside = () => reader.js(() => document.activeElement.closest('.ask-docs') !== null);
    for (let press = 0; press < 30; press += 1) {
      await reader.page.keyboard.press('Tab');
      assert.ok(await isInside(), `press ${press}`);
    }
    await reader.page.keyboard.press('F6');
    await reader.until(async () => !(await isInside()), 'F6 leads to the page');
    await reader.page.keyboard.press('Tab');
    assert.equal(await isInside(), false, 'the page is in use');
    await reader.page.keyboard.press('F6');
    await reader.until(isInside, 'F6 leads back');
    assert.match(await reader.field.evaluate((field) => document.getElementById(field.getAttribute('aria-describedby')).textContent), /F6/, 'and it is said');
  });

  test('what is written is spoken in whole sentences, each once, and the end is told', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.js(() => {
      window.spoken = [];
      const regions = '[aria-live=polite], [role=status], [role=log]';
      new MutationObserver((changes) => {
        for (const {target, addedNodes} of changes) {
          const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
          if (element?.closest(regions)) window.spoken.push(...Array.from(addedNodes, (node) => node.textContent), ...(addedNodes.length ? [] : [target.textContent]));
        }
      }).observe(document.body, {subtree: true, childList: true, characterData: true});
    });
    const letters = Array.from('Hold the button for three seconds [1]. The lamp blinks twice. Then it is paired.');
    site.api.will(answer(letters, {pause: 3}));
    await reader.asked();
    const spoken = await reader.until(async () => {
      const said = (await reader.js(() => window.spoken)).filter(Boolean);
      return said.join(' ').includes('Then it is paired') && said;
    }, 'the last sentence was spoken');
    for (const sentence of ['Hold the button for three seconds', 'The lamp blinks twice', 'Then it is paired']) {
      assert.equal(spoken.filter((said) => said.includes(sentence)).length, 1, `${sentence}: ${JSON.stringify(spoken)}`);
    }
    assert.ok(spoken.length < 15, `spoken in ${spoken.length} pieces: ${JSON.stringify(spoken)}`);
  });

  test('a failure is told to who does not see it', async () => {
    const reader = await site.opens();
    await reader.open();
    site.api.will(cut());
    await reader.ask();
    const spoken = reader.page.locator('[role=alert], [aria-live=assertive], [aria-live=polite], [role=status], [role=log]');
    await spoken.filter({hasText: 'The connection closed before the answer was complete.'}).first().waitFor({state: 'attached'});
  });

  test('Enter that ends a word of an input method sends nothing; Shift and Enter begin a line', async () => {
    const reader = await site.opens();
    await reader.open();
    await reader.field.focus();
    const keyboard = await reader.context.newCDPSession(reader.page);
    await keyboard.send('Input.imeSetComposition', {text: 'らん', selectionStart: 2, selectionEnd: 2});
    await reader.field.evaluate((field) => field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true})));
    await keyboard.send('Input.insertText', {text: 'ランプ'});
    await reader.page.keyboard.press('Shift+Enter');
    await reader.page.keyboard.type('x');
    assert.equal(await reader.field.inputValue(), 'ランプ\nx');
    assert.equal(site.api.asked.length, 0);
    await reader.field.press('Enter');
    await reader.sees('Answered from the docs');
    assert.equal(site.api.asked[0].body.query, 'ランプ\nx');
  });

  test('whatever is pressed is 44 pixels high and wide, but for links within text', async () => {
    const reader = await site.opens('/docs/lamps', PHONE);
    const small = async () =>
      reader.js(() => {
        const pressed = [...document.querySelectorAll('.ask-docs-launcher, .ask-docs button, .ask-docs textarea')];
        const seen = pressed.filter((one) => one.checkVisibility({visibilityProperty: true}));
        const sizes = seen.map((one) => [one.ariaLabel || one.innerText || one.placeholder, one.getBoundingClientRect()]);
        return sizes.filter(([, box]) => box.width < 43.5 || box.height < 43.5).map(([name, box]) => `${name}: ${box.width} x ${box.height}`);
      });
    assert.deepEqual(await small(), []);
    await reader.open();
    assert.deepEqual(await small(), []);
    await reader.asked();
    await reader.button('This answer does not help').click();
    assert.deepEqual(await small(), []);
  });

  test('at 200 % text and on a narrow screen nothing is cut off sideways', async () => {
    const reader = await site.opens('/docs/lamps', {viewport: {width: 320, height: 512}});
    await reader.js(() => (document.documentElement.style.fontSize = '200%'));
    await reader.open();
    await reader.asked();
    const outside = await reader.js(() =>
      [...document.querySelectorAll('.ask-docs *')]
        .filter((one) => !one.closest('pre, .ask-docs-wide') && one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.className || one.tagName),
    );
    assert.deepEqual(outside, []);
  });
});
