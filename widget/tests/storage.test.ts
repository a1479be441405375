import {beforeEach, expect, test} from 'vitest';
import {ConversationStorage} from '../src/chat/storage';
import {newTurn} from '../src/chat/turn';

beforeEach(() => sessionStorage.clear());

test('what was kept is read again, and an answer that was under way is marked as stopped', () => {
  const storage = new ConversationStorage('https://a.example');
  const turns = [{...newTurn('one', null, null), state: 'writing' as const, text: 'Half'}];
  storage.write({visitor: 'v_1', conversation: 'c_1', turns});
  expect(storage.read()).toEqual({visitor: 'v_1', conversation: 'c_1', turns: [{...turns[0], state: 'stopped'}]});
});

test('two services on one site are kept apart', () => {
  new ConversationStorage('/a').write({visitor: 'v_1', conversation: null, turns: []});
  expect(new ConversationStorage('/b').read().visitor).toBeNull();
});

test.each(['', '{', 'null', '[]', '{"turns":[null,{"id":1}],"visitor":7}'])(
  'what others wrote there, such as %j, is nothing',
  (value) => {
    sessionStorage.setItem('ask-docs:/a', value);
    expect(new ConversationStorage('/a').read()).toEqual({visitor: null, conversation: null, turns: []});
  },
);

test('a browser that refuses storage is no error', () => {
  const refusing = () => {
    throw new DOMException('denied', 'SecurityError');
  };
  const storage = new ConversationStorage('/a', refusing);
  storage.write({visitor: 'v_1', conversation: null, turns: []});
  expect(storage.read().visitor).toBeNull();
});

test('a long conversation keeps its newest turns', () => {
  const storage = new ConversationStorage('/a');
  storage.write({visitor: null, conversation: null, turns: Array.from({length: 40}, (_, n) => newTurn(`q${n}`, null, null))});
  const {turns} = storage.read();
  expect([turns.length, turns.at(-1)?.question]).toEqual([30, 'q39']);
});
