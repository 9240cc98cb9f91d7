import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Installable, install, targetOf } from '../../src/control/intercept/install/index.ts';
import { cannotRun } from '../native/scratch.ts';
import { type Agent, agents } from './catalog.ts';
import { installAgent } from './install.ts';
import { runAgent, withoutAccidents } from './run.ts';

const root = resolve(import.meta.dirname, '../..');
const HOOKS = 'src/control/intercept/hooks';

/** What every test run tries; `npm run test:agents` (AGENTCGROUP_AGENTS=all) tries them all. */
const QUICK = 'pi,codex';
const wanted = process.env.AGENTCGROUP_AGENTS ?? QUICK;
const chosen = agents.filter(({ name }) => wanted === 'all' || wanted.split(',').includes(name));
const whyNot = process.env.AGENTCGROUP_SKIP_AGENTS ? 'AGENTCGROUP_SKIP_AGENTS is set' : cannotRun;

/** Same with agentcgroup as without. */
const SCRIPT = [
  'echo one',
  'echo out; exit 3',
  'git status --short --branch',
  ['sleep 0.3; echo left', 'echo right; exit 1'],
  'printf "%s\\n" "a  b" \'$HOME\' "`echo c`"; cat; test -t 0 || echo no terminal',
] as const;
/** Where the two differ on purpose: what dies of a signal is told as a status, what is left behind is cleared away. */
const ONLY_UNDER = [
  'grep ^0:: /proc/self/cgroup',
  'tail -f /dev/null >/dev/null 2>&1 & echo started',
  'kill -9 $$',
  'echo last',
] as const;

describe.skipIf(whyNot)(`real agents${whyNot ? ` (${whyNot})` : ''}`, () => {
  for (const agent of chosen) {
    test(`${agent.name} ${agent.version}`, { timeout: 900_000 }, async (context) => {
      const installed = installAgent(agent);
      if ('missing' in installed) return context.skip(`cannot be installed: ${installed.missing}`);
      const { program } = installed;
      const limit = { timeoutMs: 240_000 };
      const plain = await runAgent(agent, program, SCRIPT, limit);
      const under = await runAgent(agent, program, [...SCRIPT, ...ONLY_UNDER], {
        ...limit,
        under: ['--quiet'],
        furnish: (home) => installHooks(agent, home),
      });

      expect({ status: under.status, timedOut: under.timedOut }, under.output).toEqual({ status: 0, timedOut: false });
      const commands = SCRIPT.flat().length;
      const seen = (run: typeof plain) => run.shown.slice(0, commands).map((text) => withoutAccidents(text));
      expect(plain.shown, plain.output).toHaveLength(commands);
      expect(seen(under)).toEqual(seen(plain));
      expect(under.shown).toHaveLength(commands + ONLY_UNDER.length);

      const calls = under.calls.filter(({ tool }) => tool === 'Bash');
      expect(calls.map(({ command }) => command).sort()).toEqual([...SCRIPT.flat(), ...ONLY_UNDER].sort());
      const ended = (command: string) => calls.find((call) => call.command === command)!;
      const number = ended(ONLY_UNDER[0]).call.split('.')[1];
      expect(under.shown[commands]).toMatch(new RegExp(`^0::.*/session-agent/tool-${number}$`, 'm'));
      expect(ended(SCRIPT[1])).toMatchObject({ exitCode: 3, via: 'shim' });
      const left = agent.keepsBackground ? { background: true, killedBy: 'session' } : {};
      expect(ended(ONLY_UNDER[1])).toMatchObject({ exitCode: 0, ...left });
      expect(ended(ONLY_UNDER[2])).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
      if (agent.tellsStatus) {
        expect(under.shown[1]).toMatch(/\b3\b/);
        expect(under.shown.at(-2)).toMatch(/\b137\b/);
      }
      expect(under.shown.at(-1)).toContain('last');
      expectIdentity(agent, calls);
      expect(under.left).toBe(0);
    });
  }
});

/** What `agentcgroup install` writes, into the home that the agent will have. */
function installHooks(agent: Agent, home: string): void {
  const env = { HOME: home, XDG_CONFIG_HOME: join(home, '.config') };
  const where = { program: [process.execPath, join(root, 'bin/agentcgroup.js')], modules: join(root, HOOKS), env };
  install(targetOf(agent.name as Installable, { ...where, extension: '.ts' }));
}

function expectIdentity(
  agent: Agent,
  calls: { agentCallId?: string | undefined; agentSessionId?: string | undefined }[],
) {
  const sessions = new Set(calls.map((call) => call.agentSessionId));
  expect(sessions.size).toBe(1);
  expect([...sessions][0] !== undefined).toBe(agent.namesSession);
  // from the agent's own environment, or from its hooks
  const ids = calls.map((call) => call.agentCallId);
  expect(
    ids.every((id) => /^step_\d+_\d+$/.test(id ?? '')),
    JSON.stringify(ids),
  ).toBe(true);
  expect(new Set(ids).size).toBe(calls.length);
}
