import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { AcgError, formatSize } from '../../model/index.ts';
import type { Round } from '../demo/rounds.ts';
import { memoryOf } from '../memory.ts';
import { printJson, sizeCell, table } from '../print.ts';

interface Options {
  here?: boolean;
  budget: string;
  out?: string;
  json?: boolean;
}

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('Three scripted agents under one memory budget: first in one container limit, then under agentcgroup.')
    .option('--here', "on this machine's own kernel (root, cgroup v2 with the memory controller) instead of the lab")
    .option('--budget <size>', 'memory for all three agents and their tool calls', '900m')
    .option('--out <dir>', 'where logs and traces go (default: a new folder in the temporary one)')
    .option('--json', 'print the result as JSON, the story on stderr')
    .addHelpText(
      'after',
      `
One of the agents starts a script with eight workers that needs far more than the budget. Without agentcgroup the kernel
takes an agent for it; with it the call is killed, the agent reads why, tries smaller and finishes. Exit status 1 when
agentcgroup loses an agent.

Examples:
  agentcgroup demo
  agentcgroup demo --here --budget 1200m`,
    )
    .action(async (options: Options) => {
      const budget = memoryOf(options.budget, '--budget');
      const out = resolve(options.out ?? mkdtempSync(join(tmpdir(), 'agentcgroup-demo-')));
      mkdirSync(out, { recursive: true });
      const rounds = options.here ? await here(budget, out, options.json) : await inLab(options, out);
      if (options.json) printJson({ out, rounds });
      else if (!process.env.AGENTCGROUP_LAB_SHARE)
        process.stdout.write(`\n${story(rounds)}\nLogs and traces: ${out}\n`);
      if (rounds.at(-1)!.agents.some((agent) => !agent.alive)) process.exitCode = 1;
    });
}

/** The working folders are kept off `out`, which may be a slow shared folder; logs and traces are copied there at the end. */
async function here(budget: number, out: string, quiet: boolean | undefined): Promise<Round[]> {
  const [{ containerRound, controlledRound, roundDir }, { prepareProjects }] = await Promise.all([
    import('../demo/rounds.ts'),
    import('../demo/agents.ts'),
  ]);
  const begin = performance.now();
  const show = (line: string) => {
    const seconds = ((performance.now() - begin) / 1000).toFixed(1).padStart(6);
    (quiet ? process.stderr : process.stdout).write(`${seconds} s  ${line}\n`);
  };
  const work = mkdtempSync(join(tmpdir(), 'agentcgroup-demo-work-'));
  try {
    const projects = prepareProjects(join(work, 'projects'));
    show(`-- first: all three agents in one container limit of ${formatSize(budget)}`);
    const first = await containerRound(budget, projects, roundDir(work, 'container'), show);
    show(`-- then: the same under agentcgroup, ${formatSize(budget)} in all, half of it at most per session`);
    const second = await controlledRound(budget, Math.floor(budget / 2), projects, roundDir(work, 'agentcgroup'), show);
    for (const round of ['container', 'agentcgroup'])
      cpSync(join(work, round), join(out, round), { recursive: true, filter: (path) => !/\/\.git(\/|$)/.test(path) });
    writeFileSync(join(out, 'result.json'), JSON.stringify([first, second]));
    return [first, second];
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The same in a guest of the lab, whose output is shown as it comes. */
async function inLab(options: Options, out: string): Promise<Round[]> {
  const { runInLab, SHARE_PATH } = await import('../../lab/index.ts');
  const story = options.json ? process.stderr : process.stdout;
  const { PATH = '', XDG_CACHE_HOME } = process.env;
  const { exitCode } = await runInLab({
    argv: [process.execPath, process.argv[1]!, 'demo', '--here', '--budget', options.budget, '--out', SHARE_PATH],
    memoryBytes: 3 * 2 ** 30,
    timeoutMs: 15 * 60_000,
    share: out,
    // where the compiled code is kept
    env: { PATH, ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }) },
    onStdout: (chunk) => void story.write(chunk),
    onStderr: (chunk) => void process.stderr.write(chunk),
  });
  try {
    return JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as Round[];
  } catch (cause) {
    throw new AcgError('ACG_LAB_BOOT', `the demo ended in the lab with ${exitCode}, without a result`, { cause });
  }
}

function story(rounds: Round[]): string {
  return rounds
    .map((round) => {
      const rows = round.agents.map((a) => [
        a.agent,
        a.alive ? 'alive' : 'DEAD',
        `${a.stepsDone}/${a.steps}`,
        String(a.callsDone),
        String(a.callsKilled),
        a.seconds.toFixed(0),
        sizeCell(a.peakBytes),
      ]);
      const head = ['AGENT', 'STATE', 'STEPS', 'CALLS DONE', 'KILLED', 'SECONDS', 'PEAK'];
      const peak = round.peakBytes === undefined ? '' : `, peak ${formatSize(round.peakBytes)}`;
      return `With ${round.name} (OOM kills: ${round.oomKills}${peak})\n${table(head, rows, [3, 4, 5, 6])}\n`;
    })
    .join('\n');
}
