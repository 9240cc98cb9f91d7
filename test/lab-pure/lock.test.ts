import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withLock } from '../../src/lab/lock.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'acg-lock-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('one at a time, results and errors pass through', async () => {
  const file = join(folder, 'one');
  let inside = 0;
  const work = async (n: number) => {
    expect(++inside).toBe(1);
    await new Promise((done) => setTimeout(done, 20));
    inside--;
    if (n === 2) throw new Error('two');
    return n;
  };
  const results = await Promise.allSettled([1, 2, 3].map((n) => withLock(file, () => work(n))));
  expect(results.map((r) => (r.status === 'fulfilled' ? r.value : r.reason.message))).toEqual([1, 'two', 3]);
});

test('a holder that is killed gives the lock up', async () => {
  const file = join(folder, 'killed');
  const module = resolve(import.meta.dirname, '../../src/lab/lock.ts');
  const script = `import { withLock } from ${JSON.stringify(module)};
    await withLock(${JSON.stringify(file)}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)); });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  expect(await withLock(file, async () => 'mine')).toBe('mine');
});

test('who is not to wait is refused while another holds it, and let in afterwards', async () => {
  const file = join(folder, 'refused');
  const refuse = () => new Error('held already');
  await withLock(file, async () => {
    await expect(withLock(file, async () => 'mine', { refuse })).rejects.toThrow('held already');
  });
  expect(await withLock(file, async () => 'mine', { refuse })).toBe('mine');
});
