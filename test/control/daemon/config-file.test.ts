import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, mergeConfig } from '../../../src/control/daemon/config-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'acg-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string) => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
};

test('maps merge, lists and values replace, null takes back to the default', () => {
  expect(mergeConfig({ a: { x: 1, y: [1, 2] }, b: 1 }, { a: { y: [3], z: 2 }, b: null, c: { d: null } })).toEqual({
    a: { x: 1, y: [3], z: 2 },
    c: {},
  });
});

test('drop-ins beside the file are merged in the order of their names', () => {
  const main = put('agentcgroup.yaml', 'mode: observe\ntenants:\n  ci: {budget: 8g}\nladder: {rest: 2s}\n');
  put('agentcgroup.d/20-b.yaml', 'tenants: {ci: {budget: 4g}}\nladder: {rest: null}\n');
  put('agentcgroup.d/10-a.yml', 'tenants: {ci: {budget: 6g, weight: 50}, web: {}}\n');
  put('agentcgroup.d/.hidden.yaml', 'mode: off\n');
  put('agentcgroup.d/notes.txt', 'mode: off\n');
  const { config, files } = loadConfig(main);
  expect(files).toEqual([main, join(folder, 'agentcgroup.d/10-a.yml'), join(folder, 'agentcgroup.d/20-b.yaml')]);
  expect(config.mode).toBe('observe');
  expect(config.tenants.ci).toMatchObject({ budget: 4 * 2 ** 30, weight: 50 });
  expect(config.tenants.web).toMatchObject({ weight: 100 });
  expect(config.ladder.rest).toBe(1000);
});

test('off is a mode, not a YAML truth value; an empty file is all defaults', () => {
  expect(loadConfig(put('agentcgroup.yaml', 'mode: off\n')).config.mode).toBe('off');
  expect(loadConfig(put('agentcgroup.yaml', '')).config.mode).toBe('enforce');
});

test.each([
  ['bad YAML', 'a: [1,\n', /Flow sequence/],
  ['a key twice', 'mode: off\nmode: observe\n', /unique/i],
  ['a list at the top', '- 1\n', /expected a map/],
  ['a wrong key', 'ladder: {trottle: 1s}\n', /ladder\.trottle: no such key/],
  [
    'an alias bomb',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(20)}]\nc: &c [${'*b,'.repeat(20)}]\nd: [${'*c,'.repeat(20)}]\n`,
    /alias|no such key/i,
  ],
])('%s names its file', (_, text, message) => {
  const main = put('agentcgroup.yaml', 'mode: observe\n');
  const bad = put('agentcgroup.d/bad.yaml', text);
  expect(() => loadConfig(main)).toThrow(expect.objectContaining({ code: 'ACG_CONFIG' }));
  expect(() => loadConfig(main)).toThrow(message);
  expect(() => loadConfig(main)).toThrow(bad);
});

test('what only the sum of the files makes wrong is found too', () => {
  const main = put('agentcgroup.yaml', 'tenants: {a: {guarantee: 2g}}\n');
  put('agentcgroup.d/a.yaml', 'tenants: {a: {budget: 1g}}\n');
  expect(() => loadConfig(main)).toThrow(/tenants\.a\.guarantee/);
});

test('a named file must exist', () => {
  expect(() => loadConfig(join(folder, 'none.yaml'))).toThrow(expect.objectContaining({ code: 'ACG_CONFIG' }));
});
