import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder with the given files, removed when the test ends. Objects become JSON, lists under `.jsonl` and `.ndjson` lines. */
export function folder(files: Record<string, unknown>): string {
  const root = mkdtempSync(join(tmpdir(), 'acg-trace-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(path, content);
    else if (/\.(?:jsonl|ndjson)$/.test(name)) writeFileSync(path, lines(content as unknown[]));
    else writeFileSync(path, JSON.stringify(content));
  }
  return root;
}

export function lines(records: unknown[]): string {
  return records.map((r) => `${JSON.stringify(r)}\n`).join('');
}

/** Milliseconds of 2026-03-01 10:00:00 UTC: where the fixtures' clock starts. */
export const T0 = Date.UTC(2026, 2, 1, 10);

export const iso = (ms: number): string => new Date(T0 + ms).toISOString();

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The files of one attempt of the data set: three samples, two calls (one of a sub-agent), container clock eight hours behind. */
export function attempt(): Record<string, unknown> {
  const sample = (s: number, mem_usage: string, cpu_percent: string) => ({
    epoch: T0 / 1000 + s,
    mem_usage,
    cpu_percent,
  });
  const asks = (s: number, id: string, name: string, side = false) => ({
    type: 'assistant',
    timestamp: iso(s * 1000),
    ...(side && { isSidechain: true }),
    message: { id: 'm1', model: 'model-x', usage: { output_tokens: 7 }, content: [{ type: 'tool_use', id, name }] },
  });
  const answers = (s: number, tool_use_id: string, is_error = false) => ({
    type: 'user',
    timestamp: iso(s * 1000),
    message: { content: [{ type: 'tool_result', tool_use_id, ...(is_error && { is_error }) }] },
  });
  return {
    'resources.json': {
      samples: [
        sample(10, '12.5MB / 16.2GB', '80.00%'),
        sample(11.04, '185MB / 16.2GB', '61.5%'),
        sample(12.08, '0B / 0B', '0.00%'),
      ],
      summary: { sample_count: 3 },
    },
    'results.json': {
      start_time: '2026-03-01T01:59:57.500000',
      end_time: '2026-03-01T02:00:13.000000',
      pull_time: 0.5,
      permission_fix_time: 1,
      claude_time: 13,
      total_time: 15.5,
      model: 'small',
      image: 'example/image',
      image_info: { size_mb: 2 },
      claude_output: { exit_code: 0, stderr: 'cat: /issue.md: No such file' },
    },
    'tool_calls.json': [
      { timestamp: iso(10_500), tool: 'Task', id: 'c1', end_timestamp: iso(11_900), input: {} },
      { timestamp: iso(10_800), tool: 'Bash', id: 'c2', end_timestamp: iso(11_000), input: { command: 'make test' } },
    ],
    'trace.jsonl': [
      { type: 'queue-operation', timestamp: iso(10_100) },
      asks(10.5, 'c1', 'Task'),
      asks(10.8, 'c2', 'Bash', true),
      answers(11, 'c2', true),
      answers(11.9, 'c1'),
    ],
  };
}

export function under(prefix: string, files: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${prefix}/${name}`, content]));
}
