import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const script = resolve(import.meta.dirname, '../../scripts/build-native.js');
const build = (args: string[], env: NodeJS.ProcessEnv = process.env) =>
  spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8', timeout: 100_000 });

test('what is built is not built again', () => {
  expect(build([])).toMatchObject({ status: 0 });
  expect(build([])).toMatchObject({ status: 0, stdout: 'native: up to date\n', stderr: '' });
});

test('a missing compiler: the package that has it', () => {
  const { status, stderr } = build(['--force', 'agentcgroup-shell'], { PATH: '/nowhere' });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('apt-get install musl-tools') });
});

test('an unknown target is named', () => {
  const { status, stderr } = build(['nonsense']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('no target nonsense') });
});
