import {expect, test} from 'vitest';
import {newSentences, plainText} from '../src/answer/speech';

test('what is spoken has no Markdown, no markers, and names code instead of spelling it', () => {
  const markdown = 'Hold it for **three** seconds [1]:\n\n```bash\nlantern pair\n```\n\n- See the [file](/docs/x) `a.b`.';
  expect(plainText(markdown, 'Code')).toBe('Hold it for three seconds:\nCode.\nSee the file a.b.');
});

test('code that is still being written is not spelled either', () => {
  expect(plainText('Run:\n\n```\nrm -rf x. y', 'Code')).toBe('Run:\nCode.');
});

test('a growing text is said by whole sentences, each once, and its rest when it is whole', () => {
  const text = 'One two. Three v1.2.3 four! Five';
  const heard: string[] = [];
  let said = 0;
  for (let end = 1; end <= text.length; end += 1) {
    const next = newSentences(text.slice(0, end), said, end === text.length);
    if (next.say) heard.push(next.say);
    said = next.said;
  }
  expect(heard).toEqual(['One two.', 'Three v1.2.3 four!', 'Five']);
});
