/** The public data set, where a copy of it stands beside the checkout: every task, counted a second time by other means. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { openTraces } from '../../src/trace/index.ts';
import { collect } from './fixtures.ts';

const shared = process.env.AGENTCGROUP_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const traces = join(shared, 'traces');
const present = existsSync(join(traces, 'all_images_haiku'));
if (!present) console.warn(`skipped: no recorded sessions at ${traces} (AGENTCGROUP_SHARED names the folder)`);

const occurrences = (path: string, pattern: RegExp) =>
  existsSync(path) ? new Set(readFileSync(path, 'utf8').match(pattern) ?? []).size : 0;
const isValid = (path: string) => {
  const { summary } = JSON.parse(readFileSync(join(path, 'resources.json'), 'utf8'));
  return summary.sample_count >= 10 && summary.duration_seconds >= 60;
};

test.skipIf(!present).each([
  ['all_images_haiku', 33],
  ['all_images_local', 111],
  ['batch_swebench_18tasks', undefined],
])('%s: every sample, call and log entry of every attempt', async (set, valid) => {
  const root = join(traces, set);
  const attempts = readdirSync(root).flatMap((task) => readdirSync(join(root, task)).map((a) => join(root, task, a)));
  const sessions = await collect(openTraces([root]));
  expect(sessions.map((s) => s.path).sort()).toEqual(attempts.sort());
  for (const s of sessions) {
    expect(s.report.leftOut, s.path).toEqual([]);
    expect(s.samples.length).toBe(occurrences(join(s.path, 'resources.json'), /"epoch":[\d.]+/g));
    const list = join(s.path, 'tool_calls.json');
    const asked = existsSync(list)
      ? occurrences(list, /"id":"[^"]+"/g)
      : occurrences(join(s.path, 'trace.jsonl'), /"type":"tool_use","id":"[^"]+"/g);
    expect(s.calls.length, s.path).toBe(asked);
    expect(s.calls.filter((c) => c.end === undefined)).toEqual([]);
    const log = join(s.path, 'trace.jsonl');
    const entries = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0;
    expect(s.events.filter((e) => e.kind !== 'agent-stderr').length).toBe(entries);
    // the container frames what was seen in it
    expect(s.session.start).toBeLessThanOrEqual(s.samples[0]!.t);
    expect(s.session.end! - s.session.start).toBeCloseTo(s.session.phasesMs!.run!, 2);
    expect(Math.abs(s.session.end! - s.samples.at(-1)!.t)).toBeLessThan(20_000);
    const { summary } = JSON.parse(readFileSync(join(s.path, 'resources.json'), 'utf8'));
    const memory = s.samples.filter((x) => !x.gone).map((x) => x.memoryBytes / 1e6);
    expect(Math.max(...memory)).toBeCloseTo(summary.memory_mb.max, 6);
    expect(memory.reduce((a, b) => a + b) / memory.length).toBeCloseTo(summary.memory_mb.avg, 6);
  }
  const last = sessions.filter((s) => s.session.lastAttempt && isValid(s.path));
  if (valid !== undefined) expect(last).toHaveLength(valid);
});
