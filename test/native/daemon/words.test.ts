import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CallRecord } from '../../../src/model/index.ts';
import { cannotRun, cgroup2Mount } from '../scratch.ts';
import { TestDaemon } from './harness.ts';

const CLI = resolve(import.meta.dirname, '../../../bin/agentcgroup.js');

/** An agent that runs commands, each with an environment and a pipe as descriptor 3, and prints what came of them. */
const AGENT = `
  const { spawnSync } = require('node:child_process');
  const came = JSON.parse(process.argv[1]).map(([command, env]) => {
    const { status, stderr, output } = spawnSync('/bin/bash', ['-c', command], {
      encoding: 'utf8', env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    return { status, stderr, third: output[3] };
  });
  console.log(JSON.stringify(came));`;

/** A configuration file for this test. */
function configured(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'acg-words-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'agentcgroup.yaml');
  writeFileSync(file, text);
  return file;
}

function run(daemon: TestDaemon, commands: [string, Record<string, string>][]) {
  const ended = daemon.run(['--name', 'words'], [process.execPath, '-e', AGENT, JSON.stringify(commands)]);
  expect(ended.status, ended.stderr).toBe(0);
  const [trace] = readdirSync(daemon.paths.traceDir);
  const lines = readFileSync(join(daemon.paths.traceDir, trace!), 'utf8').trim().split('\n');
  return {
    came: JSON.parse(ended.stdout) as { status: number; stderr: string; third: string }[],
    calls: lines.map((line) => JSON.parse(line)).filter((r): r is CallRecord => r.type === 'call'),
  };
}

describe.skipIf(cannotRun)(`words both ways${cannotRun ? ` (${cannotRun})` : ''}`, () => {
  test('up: nothing in a hint is evaluated on its way through the shim; what is wrong with it is in the record', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!);
    const trap = join(daemon.dir, 'X');
    const evil = `memory:x[$(touch ${trap})]g`;
    const { came, calls } = run(daemon, [
      ['true', { AGENT_RESOURCE_HINT: evil }],
      [`AGENT_RESOURCE_HINT='${evil}' true`, {}],
      ['true', { AGENT_RESOURCE_HINT: `pids:64,\`touch ${trap}\`` }],
      ['true', { AGENT_RESOURCE_HINT: 'memory:64m,duration:5s' }],
    ]);
    expect(came.map((c) => c.status)).toEqual([0, 0, 0, 0]);
    expect(existsSync(trap)).toBe(false);
    const errors = calls.map((c) => (c.hintErrors ?? []).join());
    expect(errors[0]).toContain('not a value for memory: "x[$(touch ');
    expect(errors[1]).toBe(errors[0]);
    expect(errors[2]).toContain('not understood: "`touch ');
    expect(calls.map((c) => c.hint ?? {})).toEqual([{}, {}, { pids: 64 }, { memory: 64 * 2 ** 20, durationMs: 5000 }]);
  });

  test('explain tells a person in order what was declared, decided and said', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!, [
      '--config',
      configured('call: { timeLimit: 300ms }'),
    ]);
    const explain = (call: string): string[] => {
      const args = ['explain', call, '--run-dir', daemon.paths.runDir, '--trace-dir', daemon.paths.traceDir];
      const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.trim());
    };
    const { came } = run(daemon, [['sleep 60', { AGENT_RESOURCE_HINT: 'memory:64m,cpu:many' }]]);
    expect(came.map((c) => c.status)).toEqual([137]);
    // the line of figures has what this machine counts: memory, if its controller is on version 2
    expect(explain('words.1').filter((line) => !line.startsWith('peak '))).toEqual([
      'words.1 in session words of tenant default: sleep 60',
      '+0 ms  the agent declared memory 64 MiB',
      expect.stringMatching(/^\+0 ms {2}ignored in the hint: .*"many"/),
      expect.stringMatching(/^\+\d+ ms {2}killed: ran for \d+ ms, limit 300 ms$/),
      expect.stringMatching(/^\+\d+ ms {2}killed at its time limit after \d+ ms$/),
      expect.stringMatching(/^the agent was told: This command was stopped at its time limit of 300 ms/),
    ]);
  });

  test('down: a line for the model on stderr, the same as JSON there or on a descriptor of its own', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!, [
      '--config',
      configured('call: { timeLimit: 300ms }'),
    ]);
    const slow = 'echo own >&2; sleep 60';
    const { came, calls } = run(daemon, [
      [slow, {}],
      [slow, { AGENTCGROUP_FEEDBACK: 'json' }],
      [slow, { AGENTCGROUP_FEEDBACK: 'json:3' }],
      [slow, { AGENTCGROUP_FEEDBACK: 'json:77' }],
      ['echo own >&2', { AGENTCGROUP_FEEDBACK: 'json:3' }],
    ]);
    expect(came.map((c) => c.status)).toEqual([137, 137, 137, 137, 0]);
    expect(came[0]!.stderr).toMatch(
      /^own\n\[agentcgroup\] This command was stopped at its time limit of 300 ms.*Exit status 137\..*\n$/,
    );
    const json = calls.map((c) => `${JSON.stringify({ agentcgroup: c.feedback })}\n`);
    expect(JSON.parse(json[0]!).agentcgroup).toMatchObject({ kind: 'time', advice: expect.any(String) });
    expect(came.slice(1, 4).map((c) => [c.stderr, c.third])).toEqual([
      [`own\n${json[1]}`, ''],
      ['own\n', json[2]],
      // no such descriptor: never lost
      [`own\n${json[3]}`, ''],
    ]);
    // never when nothing happened
    expect(came[4]).toMatchObject({ stderr: 'own\n', third: '' });
    expect(calls[4]!.feedback).toBeUndefined();
  });

  test('down, for what was killed in the background: with the next call, once', async () => {
    await using daemon = await TestDaemon.start(cgroup2Mount()!, [
      '--config',
      configured('call: { backgroundLimit: 300ms }'),
    ]);
    const { came, calls } = run(daemon, [
      ['sleep 60 >/dev/null 2>&1 3>&1 & echo left >&2', {}],
      ['sleep 2', {}],
      ['true', {}],
    ]);
    expect(came.map((c) => c.status)).toEqual([0, 0, 0]);
    expect(came.map((c) => c.stderr)).toEqual(['left\n', expect.stringMatching(/^\[agentcgroup\] [^\n]+\n$/), '']);
    expect(came[1]!.stderr).toContain('What you left running in the background (sleep 60 ');
    expect(came[1]!.stderr).toContain('was stopped at its time limit of 300 ms');
    // the last record of each call: that of a background call is written twice
    const last = new Map(calls.map((c) => [c.call, c]));
    expect(last.get('words.1')).toMatchObject({ background: true, killedBy: 'limit', feedback: { kind: 'time' } });
    expect(last.get('words.2')!.feedback).toBeUndefined();
  });
});
