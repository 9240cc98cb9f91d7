import { expect, test } from 'vitest';
import { Turns } from '../../../src/control/daemon/turns.ts';
import { initialState, step } from '../../../src/control/policy/index.ts';
import { type Priority, parseConfig } from '../../../src/model/index.ts';

const here = new AbortController().signal;

const node = (...priorities: Priority[]) => {
  let state = initialState(parseConfig({ tenants: { t: { priority: 'high' } } }), 2 ** 30);
  for (const [i, priority] of priorities.entries()) {
    const event = { type: 'session-start', session: `${priority}-${i}`, tenant: 't', priority } as const;
    ({ state } = step(state, event, 0));
  }
  return new Turns(() => state);
};

test('nobody waits where all rank alike, and who ranks above all never', () => {
  const alike = node('low', 'low');
  expect(alike.take('low-0', here)).toBeUndefined();
  expect(alike.take('low-1', here)).toBeUndefined();
  const mixed = node('high', 'low');
  mixed.take('low-1', here);
  expect(mixed.take('high-0', here)).toBeUndefined();
});

test('the others come one after the other, the higher rank first, after a rest as long as the answer took', async () => {
  const turns = node('high', 'low', 'low', 'normal');
  const answered: { session: string; begin: number; end: number }[] = [];
  const busy = 15;
  await Promise.all(
    ['low-1', 'low-2', 'normal-3'].map(async (session) => {
      await turns.take(session, here);
      const begin = performance.now();
      while (performance.now() - begin < busy);
      answered.push({ session, begin, end: performance.now() });
    }),
  );
  // the first had its turn before the others asked
  expect(answered.map(({ session }) => session)).toEqual(['low-1', 'normal-3', 'low-2']);
  for (const [i, { begin }] of answered.slice(1).entries())
    expect(begin - answered[i]!.end).toBeGreaterThanOrEqual(busy - 2);
  // and after a pause nobody is owed a rest: long enough for a timer that is late on a busy machine
  await new Promise((done) => setTimeout(done, 1000));
  let now = false;
  turns.take('low-1', here)?.then(() => {
    now = true;
  });
  await Promise.resolve();
  expect(now).toBe(true);
});

test('who has hung up has no turn: the next one has it, with no rest between them', async () => {
  const turns = node('high', 'low', 'low', 'low');
  const gone = new AbortController();
  const order: string[] = [];
  const ask = (session: string, signal: AbortSignal) => turns.take(session, signal)?.then(() => order.push(session));
  await ask('low-1', here);
  const left = ask('low-2', gone.signal);
  const next = ask('low-3', here);
  gone.abort();
  await left;
  // both are told in the same turn of the event loop
  await Promise.resolve();
  expect(order).toEqual(['low-1', 'low-2', 'low-3']);
  await next;
});
