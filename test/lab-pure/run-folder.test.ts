import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { makeRunFolder, parseRunFolder, startTime } from '../../src/lab/run-folder.ts';

test('a process is named by its pid and start time; a dead one has none', async () => {
  expect(startTime(process.pid)).toMatch(/^\d+$/);
  expect(startTime(process.pid)).toBe(startTime(process.pid));
  const child = spawn('true');
  await once(child, 'exit');
  expect(startTime(child.pid!)).toBeUndefined();
});

test('making a folder removes those whose owner is gone, and no other', async () => {
  const child = spawn('true');
  await once(child, 'exit');
  const mine = join(tmpdir(), `agentcgroup-lab-${process.pid}-${startTime(process.pid)}-abcdef`);
  const dead = join(tmpdir(), `agentcgroup-lab-${child.pid}-123-abcdef`);
  const reused = join(tmpdir(), `agentcgroup-lab-${process.pid}-1-abcdef`);
  const foreign = join(tmpdir(), `agentcgroup-lab-notes-${process.pid}`);
  const folders = [mine, dead, reused, foreign];
  for (const folder of folders) mkdirSync(folder);
  const made = await makeRunFolder();
  try {
    expect(parseRunFolder(basename(made))).toEqual({ pid: process.pid, startTime: startTime(process.pid) });
    expect(folders.map((f) => existsSync(f))).toEqual([true, false, false, true]);
  } finally {
    for (const folder of [...folders, made]) rmSync(folder, { recursive: true, force: true });
  }
});
