import { expect, test } from 'vitest';
import { openTraces } from '../../../src/trace/index.ts';
import { attempt, collect, folder, T0, under } from '../fixtures.ts';

const one = async (files: Record<string, unknown>) => {
  const [session] = await collect(openTraces([folder(under('set/task/attempt_1', files))]));
  return session!;
};

test('an attempt becomes a session with samples, calls and the agent log', async () => {
  const s = await one(attempt());
  expect(s.session).toMatchObject({
    session: 'set/task/attempt_1',
    dataset: 'set',
    task: 'task',
    attempt: 1,
    lastAttempt: true,
    model: 'model-x',
    memoryLimitBytes: 16_200_000_000,
    imageBytes: 2 * 2 ** 20,
    exitCode: 0,
    phasesMs: { pull: 500, permissionFix: 1000, run: 13_000, total: 15_500 },
    labels: { requestedModel: 'small', image: 'example/image', memoryLimitText: '16.2GB' },
    // the zone is found: eight hours behind; the container starts after pull and permission fix
    start: T0 - 1000,
    end: T0 + 12_000,
    activeStart: T0 + 10_100,
    activeEnd: T0 + 11_900,
  });
  expect(s.samples.map((x) => [x.t - T0, x.memoryBytes, x.cpuLifetimePercent, x.gone])).toEqual([
    [10_000, 12_500_000, 80, undefined],
    [11_040, 185_000_000, 61.5, undefined],
    [12_080, 0, 0, true],
  ]);
  expect(s.samples[1]!.memoryText).toBe('185MB');
  expect(s.calls).toMatchObject([
    { call: 'c1', tool: 'Task', envelope: true, seq: 0, durationMs: 1400 },
    { call: 'c2', tool: 'Bash', subAgent: true, isError: true, command: 'make test', seq: 1, durationMs: 200 },
  ]);
  expect(s.calls[0]).not.toHaveProperty('subAgent');
  expect(s.calls[1]).not.toHaveProperty('envelope');
  expect(s.events.map((e) => e.kind)).toEqual([
    'agent-log',
    'llm-output',
    'llm-output',
    'llm-input',
    'llm-input',
    'agent-stderr',
  ]);
  expect(s.events[1]!.data).toEqual({
    message: 'm1',
    model: 'model-x',
    outputTokens: 7,
    blocks: ['tool_use'],
    calls: ['c1'],
  });
  expect(s.events[5]!.text).toContain('issue.md');
  expect(s.report).toEqual({ imported: { samples: 3, calls: 2, events: 6 }, leftOut: [], notes: [] });
});

test('without tool_calls.json the calls come from the log, ends from the results', async () => {
  const { 'tool_calls.json': _, ...rest } = attempt();
  const s = await one(rest);
  expect(s.calls.map((c) => [c.call, c.tool, c.durationMs])).toEqual([
    ['c1', 'Task', 1400],
    ['c2', 'Bash', 200],
  ]);
  expect(s.report.notes.map((n) => n.why)).toEqual(['no tool_calls.json']);
});

test('an end that the list of calls lacks comes from the log', async () => {
  const files = attempt();
  for (const c of files['tool_calls.json'] as { end_timestamp?: string }[]) delete c.end_timestamp;
  const s = await one(files);
  expect(s.calls.map((c) => c.durationMs)).toEqual([1400, 200]);
});

test.each(['resources.json', 'results.json', 'trace.jsonl', 'tool_calls.json'])(
  'a missing %s costs only what it held',
  async (name) => {
    const { [name]: _, ...rest } = attempt();
    if (name === 'resources.json') {
      const s = await one(rest);
      expect(s.samples).toEqual([]);
      expect(s.calls).toHaveLength(2);
      expect(s.session.start).toBe(T0 - 1000);
      return;
    }
    const s = await one(rest);
    expect(s.samples).toHaveLength(3);
    expect(s.calls).toHaveLength(2);
    expect(s.report.notes).toEqual([{ where: name, why: `no ${name}`, count: 1 }]);
  },
);

test('truncated JSON is read up to where it is sound', async () => {
  const files = attempt();
  const cut = (name: string, drop: number) => JSON.stringify(files[name]).slice(0, -drop);
  const s = await one({
    ...files,
    'resources.json': cut('resources.json', 80),
    'tool_calls.json': cut('tool_calls.json', 40),
    'results.json': cut('results.json', 5),
  });
  expect(s.samples).toHaveLength(2);
  // the second call is only in the log now
  expect(s.calls.map((c) => c.call)).toEqual(['c1', 'c2']);
  expect(s.report.leftOut.map((f) => f.where)).toEqual(['resources.json', 'tool_calls.json', 'results.json']);
  expect(s.session.start).toBe(T0 + 10_000);
});

test('values that are no values are left out one by one', async () => {
  const files = attempt();
  const r = files['resources.json'] as { samples: unknown[] };
  r.samples.push({ epoch: 'later', mem_usage: '1MB / 2GB' }, { epoch: T0 / 1000 + 14, mem_usage: 'lots' }, null);
  (files['tool_calls.json'] as unknown[]).push({ tool: 'Bash', id: 'c9' }, 17);
  const s = await one(files);
  expect(s.report.leftOut).toEqual([
    { where: 'resources.json samples[3]', why: 'a sample without a time', count: 2 },
    { where: 'resources.json samples[4]', why: 'a sample whose memory is not a size', count: 1 },
    { where: 'tool_calls.json[2]', why: 'a call without an id or a start time', count: 2 },
  ]);
  expect(s.samples).toHaveLength(3);
  expect(s.calls).toHaveLength(2);
});

test('a stepped clock costs the samples that overlap, an absurd time only itself', async () => {
  const files = attempt();
  const r = files['resources.json'] as { samples: { epoch: number; mem_usage: string; cpu_percent: string }[] };
  const at = (s: number) => ({ epoch: T0 / 1000 + s, mem_usage: '1MB / 2GB', cpu_percent: '1%' });
  r.samples = [at(1), at(2), at(9e8), at(3), at(4), at(3.5), at(5)];
  const s = await one(files);
  expect(s.samples.map((x) => (x.t - T0) / 1000)).toEqual([1, 2, 3, 3.5, 5]);
  expect(s.report.leftOut[0]).toMatchObject({ where: 'resources.json', count: 2 });
});

test('a call that ends before it starts keeps its start', async () => {
  const files = attempt();
  (files['tool_calls.json'] as { end_timestamp: string }[])[1]!.end_timestamp = new Date(T0).toISOString();
  const s = await one(files);
  expect(s.calls[1]).not.toHaveProperty('end');
  expect(s.report.notes.map((n) => n.where)).toEqual(['call c2']);
});

test('the last of several attempts is marked, by number and not by name', async () => {
  const files = Object.assign({}, ...[2, 9, 10].map((n) => under(`set/task/attempt_${n}`, attempt())));
  const all = await collect(openTraces([folder(files)]));
  expect(all.map((s) => [s.session.attempt, s.session.lastAttempt])).toEqual([
    [2, false],
    [9, false],
    [10, true],
  ]);
});
