import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cpioArchive } from '../../src/lab/initramfs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'acg-cpio-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const cpio = spawnSync('cpio', ['--version']).error === undefined;

test.skipIf(!cpio)('cpio unpacks what we pack (needs cpio)', () => {
  const files = [0, 1, 2, 3, 4, 5, 1000].map((size) => ({ path: `d/file-${size}`, data: Buffer.alloc(size, 'x') }));
  const archive = cpioArchive([{ path: 'd' }, ...files, { path: 'init', data: Buffer.from('#!'), executable: true }]);
  const { status } = spawnSync('cpio', ['-idm', '--quiet'], { cwd: folder, input: archive });
  expect(status).toBe(0);
  for (const { path, data } of files) expect(readFileSync(join(folder, path))).toEqual(data);
  expect(statSync(join(folder, 'init')).mode & 0o777).toBe(0o755);
  expect(statSync(join(folder, 'd/file-1')).mode & 0o777).toBe(0o644);
});

test('headers and data stand on multiples of 4, as the kernel wants', () => {
  for (let length = 0; length < 9; length++) {
    const archive = cpioArchive([{ path: 'x'.repeat(length + 1), data: Buffer.alloc(length, 1) }, { path: 'y' }]);
    expect(archive.length % 4).toBe(0);
    const headers = [...archive.toString('latin1').matchAll(/070701/g)].map((m) => m.index % 4);
    expect(headers).toEqual([0, 0, 0]);
  }
});
