import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { holdAlone } from '../../../src/control/daemon/lock.ts';

function place(): string {
  const dir = mkdtempSync(join(tmpdir(), 'acg-lock-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'locks');
}

test('one holds it, the next one when it is let go; nothing is left behind', () => {
  const directory = place();
  const lock = holdAlone('/run/a', directory);
  expect(() => holdAlone('/run/a', directory)).toThrow(expect.objectContaining({ code: 'ACG_DAEMON_RUNNING' }));
  const other = holdAlone('/run/b', directory);
  lock.close();
  const again = holdAlone('/run/a', directory);
  expect(() => holdAlone('/run/a', directory)).toThrow(expect.objectContaining({ code: 'ACG_DAEMON_RUNNING' }));
  again.close();
  expect(readdirSync(directory)).toHaveLength(1);
  other.close();
  expect(existsSync(directory)).toBe(false);
});

test('a folder that others can enter is refused: whoever can open a file can lock it', () => {
  const directory = place();
  holdAlone('/run/a', directory);
  chmodSync(directory, 0o755);
  expect(() => holdAlone('/run/b', directory)).toThrow(expect.objectContaining({ code: 'ACG_FILE' }));
});
