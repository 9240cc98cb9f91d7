import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Installable,
  install,
  installable,
  preview,
  type Target,
  targetOf,
  uninstall,
} from '../../../../src/control/intercept/install/index.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'acg-install-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const where = () => ({
  program: ['/opt/node', '/opt/my tools/agentcgroup.js'],
  modules: '/opt/hooks',
  extension: '.js' as const,
  env: { HOME: home },
});
const targetIn = (agent: Installable): Target => targetOf(agent, where());

const samples = {
  tidy: '{\n  "model": "opus",\n  "hooks": {\n    "PreToolUse": [\n      {"matcher": "Edit", "hooks": []}\n    ]\n  }\n}\n',
  odd: '\n\n{"a" :1 ,\r\n // keep this\r\n"b":[1,2,],   }   ',
  empty: '{}',
  blank: '',
};

describe('install and uninstall', () => {
  test.each(installable)('%s: into nothing and back to nothing', (agent) => {
    const target = targetIn(agent);
    expect(target.file.startsWith(home)).toBe(true);
    expect(uninstall(target).done).toBe('not installed');
    const shown = preview(target);
    expect(existsSync(target.file)).toBe(false);
    expect(install(target).done).toBe('installed');
    expect(readFileSync(target.file, 'utf8')).toBe(shown);
    expect(install(target).done).toBe('already installed');
    expect(uninstall(target).done).toBe('removed');
    // no folder that was not there before
    expect(
      existsSync(join(home, '.claude')) || existsSync(join(home, '.config')) || existsSync(join(home, '.pi')),
    ).toBe(false);
  });

  test.each(['claude-code', 'codex', 'gemini'] as const)('%s: the user file comes back byte for byte', (agent) => {
    const target = targetIn(agent);
    install(target);
    uninstall(target);
    for (const [name, text] of Object.entries(samples)) {
      const folder = join(target.file, '..');
      if (!existsSync(folder)) install(target);
      writeFileSync(target.file, text, { mode: 0o640 });
      rmSync(`${target.file}.agentcgroup`, { force: true });
      expect(install(target).done, name).toBe('installed');
      const after = readFileSync(target.file, 'utf8');
      expect(after).toContain(`/opt/node '/opt/my tools/agentcgroup.js' hook ${agent}`);
      expect(install(target).done).toBe('already installed');
      expect(readFileSync(target.file, 'utf8')).toBe(after);
      expect(uninstall(target).done).toBe('restored');
      expect(readFileSync(target.file, 'utf8')).toBe(text);
      expect(existsSync(`${target.file}.agentcgroup`)).toBe(false);
    }
  });

  test('an edited file is left alone unless forced, and then loses our part only', () => {
    const target = targetIn('claude-code');
    install(target);
    uninstall(target);
    install({ ...target, file: join(home, 'settings.json') });
    const file = join(home, 'other.json');
    writeFileSync(file, samples.tidy);
    const at = { ...target, file };
    install(at);
    const edited = readFileSync(file, 'utf8').replace('"opus"', '"sonnet"');
    writeFileSync(file, edited);
    expect(() => uninstall(at)).toThrow(expect.objectContaining({ code: 'ACG_SETTINGS_EDITED' }));
    expect(readFileSync(file, 'utf8')).toBe(edited);
    expect(install(at).done).toBe('already installed');
    expect(uninstall(at, true).done).toBe('taken out of the edited file');
    expect(readFileSync(file, 'utf8')).toBe(samples.tidy.replace('"opus"', '"sonnet"'));
  });

  test('an edit inside our part is never guessed at', () => {
    const at = { ...targetIn('codex'), file: join(home, 'hooks.json') };
    writeFileSync(at.file, '{"hooks": {}}');
    install(at);
    const edited = readFileSync(at.file, 'utf8').replaceAll('"Bash"', '"*"');
    writeFileSync(at.file, edited);
    expect(() => uninstall(at, true)).toThrow('by hand');
    expect(readFileSync(at.file, 'utf8')).toBe(edited);
  });

  test('a newer release brings its hooks up to date, and the original is still the user’s', () => {
    const file = join(home, 'settings.json');
    writeFileSync(file, samples.odd);
    install({ ...targetIn('gemini'), file });
    const moved = { ...targetOf('gemini', { ...where(), program: ['/new/agentcgroup'] }), file };
    expect(install(moved).done).toBe('installed');
    expect(readFileSync(file, 'utf8')).toContain('"/new/agentcgroup hook gemini"');
    expect(readFileSync(file, 'utf8')).not.toContain('/opt/node');
    uninstall(moved);
    expect(readFileSync(file, 'utf8')).toBe(samples.odd);
  });

  test('permissions and links stay', () => {
    const real = join(home, 'dotfiles.json');
    const link = join(home, 'settings.json');
    writeFileSync(real, '{}', { mode: 0o600 });
    symlinkSync(real, link);
    const at = { ...targetIn('claude-code'), file: link };
    install(at);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(real).mode & 0o777).toBe(0o600);
    expect(uninstall(at).done).toBe('restored');
    expect(readFileSync(link, 'utf8')).toBe('{}');
  });

  test('a file that is not JSON is not touched; one that is not ours is not replaced', () => {
    const file = join(home, 'settings.json');
    writeFileSync(file, '{ nonsense');
    expect(() => install({ ...targetIn('claude-code'), file })).toThrow(`${file}, line 1`);
    expect(readFileSync(file, 'utf8')).toBe('{ nonsense');
    expect(() => install({ ...targetIn('pi'), file })).toThrow('not of `agentcgroup install`');
  });
});
