import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cli } from './run.ts';

// a loaded machine takes its time
vi.setConfig({ testTimeout: 120_000 });

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'agentcgroup-errors-test-'));
  writeFileSync(join(dir, 'text'), 'hello\n');
  writeFileSync(join(dir, 'shapes.json'), '{"version": 2}');
  mkdirSync(join(dir, 'folder'));
  mkdirSync(join(dir, 'project/.claude/settings.json'), { recursive: true });
  mkdirSync(join(dir, 'beside'));
  writeFileSync(join(dir, 'beside/thesis.tex'), 'years of work');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  ['nonsense', 64, "ACG_USAGE: the command line is wrong: unknown command 'nonsense' (see --help)"],
  ['sesions', 64, 'Did you mean sessions?'],
  ['run --bogus', 64, "ACG_USAGE: the command line is wrong: unknown option '--bogus'"],
  ['daemon --idle-exit soon --run-dir folder', 64, 'a whole number of seconds is expected'],
  ['daemon --log-level loud --run-dir folder', 64, 'Allowed choices are trace, debug, info, warn, error'],
  ['daemon --run-dir text', 74, "ACG_FILE: a file or folder cannot be used: EEXIST: file already exists, mkdir '/"],
  ['run --run-dir text -- true', 74, "/text'"],
  ['calls --run-dir text', 69, 'ACG_NO_DAEMON'],
  ['config check -f text', 78, 'text: expected a map of keys at the top (correct what is named)'],
  ['explain s1.7 --run-dir folder --trace-dir folder', 66, 's1.7, neither running nor in the traces in /'],
  ['run --memory 512 -- true', 64, '--memory 512 is 512 B: give it with its unit'],
  ['run --memory 1e9 -- true', 64, 'ACG_SIZE: not a size: "1e9"'],
  ['daemon --memory 48 --run-dir folder', 64, '--memory 48 is 48 B'],
  ['demo --budget 900', 64, '--budget 900 is 900 B'],
  ['simulate --node-memory 1k', 64, '--node-memory 1k is 1.0 KiB'],
  ['evaluate text', 65, 'ACG_SCENARIO'],
  ['trace merge folder', 65, 'folder: EISDIR'],
  ['trace export text/gone -o out', 65, 'ACG_TRACE: '],
  ['trace export shapes.json -o text', 74, 'ACG_TRACE_WRITE'],
  ['record --pid 1 --duration 1s -o text', 64, 'text is there already and is no trace'],
  ['simulate --out text', 74, "mkdir 'text'"],
  ['simulate gone --out out', 65, 'gone: ENOENT'],
  ['simulate --arms nobody --out out', 64, 'no arm "nobody"'],
  ['simulate --shapes shapes.json', 78, 'version: Invalid input: expected 1'],
  ['evaluate tight-shaped --here --runs 0 --out out', 64, 'a whole number from 1 is expected'],
  ['evaluate tight-shaped --here --jobs 0 --out out', 64, 'a whole number from 1 is expected'],
  ['evaluate tight-shaped --here --lab --out out', 64, '--here or --lab, not both'],
  ['demo --here --out text', 74, "text'"],
  ['install claude-code --project project', 65, 'project/.claude/settings.json is a folder'],
  ['install claude-code --project text', 74, "mkdir 'text/.claude'"],
  ['dataset fetch --out beside --from file:///nobody', 64, 'holds thesis.tex, which is no data set'],
])('%s ends with %i, in one line', async (args, status, text) => {
  const before = readdirSync(dir).filter((name) => !name.startsWith('node-'));
  const found = await cli(dir, ...args.split(' '));
  expect(found.err).toContain(text);
  expect(found.err).toMatch(/^agentcgroup: ACG_[A-Z_]+: [^\n]+ \([^()\n]+\)\n$/);
  expect(found.status).toBe(status);
  expect(found.out).toBe('');
  expect(readdirSync(dir).filter((name) => !name.startsWith('node-'))).toEqual(before);
  expect(readFileSync(join(dir, 'text'), 'utf8')).toBe('hello\n');
  expect(existsSync(join(dir, 'beside/thesis.tex'))).toBe(true);
});

test('a full disk behind standard output is one line as well', () => {
  const full = openSync('/dev/full', 'w');
  const bin = join(import.meta.dirname, '../../bin/agentcgroup.js');
  const { status, stderr } = spawnSync(process.execPath, [bin, 'config', 'schema'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect({ status, stderr }).toEqual({
    status: 74,
    stderr: expect.stringMatching(/^agentcgroup: ACG_FILE: .*ENOSPC.*\n$/),
  });
});

test('a group of commands without one shows its help, with status 64', async () => {
  const { status, out, err } = await cli(dir, 'config');
  expect({ status, out }).toEqual({ status: 64, out: '' });
  expect(err).toMatch(/^Usage: agentcgroup config/);
});
