/** The trace writer on a file system that is really full, and then is not. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AcgError } from '../../src/model/index.ts';
import { readTrace, TraceWriter } from '../../src/trace/index.ts';
import { collect, folder } from '../trace/fixtures.ts';

/** A file system of 256 KiB, or undefined where we may not mount one. */
function smallDisk(): string | undefined {
  const path = join(folder({}), 'disk');
  mkdirSync(path);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path]).status !== 0) return undefined;
  onTestFinished(() => {
    spawnSync('umount', ['-l', path]);
  });
  return path;
}

test('a torn line on a full disk: the trace can be opened, and is gone on with when there is room', async (context) => {
  const disk = smallDisk();
  if (disk === undefined) return context.skip('cannot mount a tmpfs here');
  const ballast = join(disk, 'ballast');
  const path = join(disk, 'trace.ndjson');
  // the line fills its page: one byte more needs another one
  writeFileSync(path, `{"torn":"`.padEnd(4096, 'x'));
  expect(() => writeFileSync(ballast, Buffer.alloc(512 * 1024))).toThrow('ENOSPC');
  const w = await TraceWriter.open(path);
  w.write({ type: 'event', t: 1, kind: 'test' });
  await w.flush();
  rmSync(ballast);
  expect(await w.close()).toMatchObject({ records: 1, dropped: 0 });
  const bad: unknown[] = [];
  const good = await collect(readTrace(path, (b) => bad.push(b)));
  expect(bad).toHaveLength(1);
  expect(good.map(({ record }) => record)).toMatchObject([{ kind: 'test' }]);
});

test('a disk that fills up and is cleared again: one report, no torn line, the gap is told', async (context) => {
  const disk = smallDisk();
  if (disk === undefined) return context.skip('cannot mount a tmpfs here');
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(128 * 1024));
  const errors: AcgError[] = [];
  const path = join(disk, 'trace.ndjson');
  const w = await TraceWriter.open(path, { onError: (e) => errors.push(e), maxBufferBytes: 32 * 1024, flushMs: 5 });
  const event = (t: number) => ({ type: 'event' as const, t, kind: 'test', text: 'x'.repeat(1000) });
  for (let t = 0; t < 300; t++) {
    w.write(event(t));
    if (t % 20 === 0) await w.flush();
  }
  await w.flush();
  expect(errors.map((e) => e.code)).toEqual(['ACG_TRACE_WRITE']);
  truncateSync(ballast, 0);
  rmSync(ballast);
  await w.flush();
  w.write(event(1000));
  const { records, dropped } = await w.close();
  expect(dropped).toBeGreaterThan(50);
  const bad: unknown[] = [];
  const good = (await collect(readTrace(path, (b) => bad.push(b)))).map((g) => g.record);
  expect(bad).toEqual([]);
  expect(good).toHaveLength(records);
  expect(good.filter((r) => r.type === 'event' && r.kind === 'trace-gap')).toMatchObject([
    { data: { records: dropped } },
  ]);
  const times = good.flatMap((r) => (r.type === 'event' && r.kind === 'test' ? [r.t] : []));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.at(-1)).toBe(1000);
});
