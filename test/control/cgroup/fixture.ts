import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with the given files, by path; removed when the test ends. Writes append nothing and truncate nothing, so files to be written start empty. */
export function fixtureTree(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'acg-fixture-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The mountinfo that shows a folder as a writable cgroup2 mount. */
export const mountedAt = (folder: string) => `41 31 0:38 / ${folder} rw - cgroup2 cgroup2 rw\n`;
