import { expect, test } from 'vitest';
import { Expected } from '../../../src/control/daemon/expected.ts';

test('an announced id goes to the next call of the same command, once, and in the order announced', () => {
  const expected = new Expected();
  expected.announce('a', 'make\n', 0);
  expected.announce('b', 'make', 10);
  expected.announce('c', 'ls', 20);
  expect(expected.take('ls -l', 30)).toBeUndefined();
  expect(['make', ' make ', 'make'].map((command) => expected.take(command, 30))).toEqual(['a', 'b', undefined]);
  expect(expected.take('ls', 30)).toBe('c');
});

test('an announcement whose call does not come is forgotten', () => {
  const expected = new Expected();
  expected.announce('a', 'make', 0);
  expect(expected.take('make', 60_000)).toBeUndefined();
  for (let i = 0; i < 1000; i++) expected.announce(`id-${i}`, `command ${i}`, 0);
  expect(expected.take('command 0', 1)).toBeUndefined();
  expect(expected.take('command 999', 1)).toBe('id-999');
});

test('what the shim has cut off a long command does not matter', () => {
  const expected = new Expected();
  const command = 'x'.repeat(100_000);
  expected.announce('a', command, 0);
  expect(expected.take(command.slice(0, 65_000), 1)).toBe('a');
});
