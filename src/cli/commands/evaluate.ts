import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { AcgError, formatDuration } from '../../model/index.ts';
import type { Host, Run } from '../../study/evaluate/index.ts';
import { version } from '../version.ts';

interface Options {
  arms?: string[];
  runs?: number;
  seed?: number;
  lab?: boolean;
  here?: boolean;
  kernel: string;
  realClock?: boolean;
  jobs?: number;
  out: string;
  dataset?: string;
  paper?: boolean;
  json?: boolean;
}

const wholeFrom = (least: number) => (text: string) => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new InvalidArgumentError(`a whole number from ${least} is expected`);
  return Number(text);
};

const fromSources =
  'warning: src/ is newer than dist/, so the daemon runs from the sources here and takes twice as long to start: figures of another ' +
  'speed. `npm run setup` builds dist/; the report says which runs were made so.';

/** Scenarios that come with the package. */
const library = new URL('../../../scenarios/', import.meta.url).pathname;

/** What is run when nothing is named: 25 minutes of two processors, and no data set. */
const usual = ['tight-shaped', 'pressure', 'density', 'moderate-shaped'];
const paper = ['paper-tight', 'paper-moderate', 'sound-tight', 'sound-moderate'];

export function addEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('Run scenarios under several kinds of control, side by side, and say what that shows.')
    .argument('[scenario...]', 'a file, or the name of one that comes with agentcgroup')
    .option('--arms <names>', 'kinds of control, separated by commas (default: those of the scenario)', (text) =>
      text.split(','),
    )
    .option('--runs <n>', 'runs of each arm (default: as the scenario says)', wholeFrom(1))
    .option('--seed <n>', 'draws the order of the arms and what is random in a scenario', wholeFrom(0))
    .option('--lab', 'in a microVM with a stock Debian kernel (the default)')
    .option('--here', "on this machine's own kernel: root, cgroup v2, nothing else running")
    .option('--kernel <name>', "the lab's kernel: stock, memcg-bpf (the arm paper needs it), or an image", 'stock')
    .option('--real-clock', "the lab's clock follows this machine's instead of counting instructions")
    .option('--jobs <n>', "guests at once (default: one for each of this machine's CPUs, four at most)", wholeFrom(1))
    .option('--out <dir>', 'where runs and report go; a folder with runs in it is continued', 'evaluation')
    .option('--paper', "the paper's two scenarios, by its own rules and by sound ones (needs the data set)")
    .option('--dataset <dir>', 'the public data set, for scenarios that replay it')
    .option('--json', 'print what results.json has instead of a summary')
    .addHelpText('after', () => {
      const names = existsSync(library) ? readdirSync(library).filter((f) => f.endsWith('.yaml')) : [];
      return `
Scenarios that come with it: ${names.map((f) => f.slice(0, -5)).join(', ') || 'none'}.
Without any: ${usual.join(', ')}.
OUT gets the raw runs (runs.ndjson, and runs.parquet at the end), results.json and report.html. Runs that are there already are
not made again, so an experiment that was interrupted goes on, and one can be extended with a larger --runs.

Examples:
  agentcgroup evaluate tight-shaped --out tight
  agentcgroup evaluate tight-shaped --arms alone,none,agentcgroup-cgroup --runs 5 --out quick
  agentcgroup evaluate tight-shaped --arms alone,none,paper --kernel memcg-bpf --out paper-policy
  agentcgroup evaluate ./my-scenario.yaml --here --out mine
  agentcgroup evaluate --paper --dataset experiments --out paper`;
    })
    .action(async (scenarios: string[], options: Options) => {
      const evaluate = await import('../../study/evaluate/index.ts');
      const host = await thisHost();
      if (process.env.AGENTCGROUP_EVALUATE_WORKER) {
        if (host.program === 'sources') process.stderr.write(`${fromSources}\n`);
        const tell = (word: string) => (run: Parameters<typeof evaluate.keyOf>[0]) =>
          void process.stdout.write(`${word} ${evaluate.keyOf(run)}\n`);
        return evaluate.work(scenarios[0]!, host, { started: tell('at'), ended: tell('run') });
      }
      if (options.here && options.lab) throw new AcgError('ACG_USAGE', '--here or --lab, not both');
      if (options.paper && scenarios.length > 0) throw new AcgError('ACG_USAGE', '--paper brings its own scenarios');
      const names = options.paper ? paper : scenarios.length > 0 ? scenarios : usual;
      const out = resolve(options.out);
      const say = (text: string) => void process.stderr.write(`${text}\n`);
      const stop = new AbortController();
      process.once('SIGINT', () => {
        say('stopping...');
        stop.abort();
      });
      const done = evaluate.conduct({
        scenarios: names.map((name) => evaluate.loadScenario(scenarioFile(name))),
        arms: options.arms,
        runs: options.runs,
        seed: options.seed,
        out,
        where: options.here ? 'here' : 'lab',
        kernel: options.kernel,
        deterministic: !options.realClock && !options.here,
        // with the machine's own clock, guests side by side would slow each other down
        jobs: options.jobs || (options.realClock ? 1 : Math.min(4, availableParallelism())),
        datasetDir: options.dataset ? resolve(options.dataset) : null,
        host,
        workerCommand: ['env', 'AGENTCGROUP_EVALUATE_WORKER=1', ...host.command, 'evaluate'],
        command: process.argv.slice(2),
        signal: stop.signal,
        say,
        onProgress: (done, of, left, last) => say(progressLine(done, of, left, last)),
      });
      try {
        await done;
      } catch (error) {
        if (!stop.signal.aborted) throw error;
        say('interrupted: the same command goes on from here');
        process.exitCode = 130;
        return;
      }
      const raw = join(out, evaluate.RAW_FILE);
      await evaluate.runsToParquet(raw, join(out, 'runs.parquet'));
      const { summary } = await import('../evaluate/summary.ts');
      const { report } = await import('../../study/evaluate/report/index.ts');
      const written = await report(raw, out, { arms: evaluate.arms });
      if (options.json) process.stdout.write(readFileSync(written.results, 'utf8'));
      else process.stdout.write(`${summary(written)}\n\n${written.report}\n`);
    });
}

function scenarioFile(name: string): string {
  if (existsSync(name)) return name;
  const file = join(library, `${name}.yaml`);
  if (!/^[\w.-]+$/.test(name) || !existsSync(file)) throw new AcgError('ACG_USAGE', `no scenario ${name}`);
  return file;
}

/** Where this file is tells what is run: `src/cli/commands`, `dist/cli/commands`, or a file of the bundle in `dist/cli/lab`. */
export function programOf(url: string): NonNullable<Host['program']> {
  if (url.endsWith('.ts')) return 'sources';
  return url.includes('/dist/cli/lab/') ? 'bundle' : 'built';
}

async function thisHost(): Promise<Host> {
  const { runAgent } = await import('../run/agent.ts');
  return {
    command: [process.execPath, process.argv[1]!],
    version,
    program: programOf(import.meta.url),
    runSession: (agent, request, runDir) => runAgent(agent, request, { way: 'auto', quiet: true, runDir }),
  };
}

function progressLine(done: number, of: number, left: number | undefined, last: Run | undefined): string {
  const time = left === undefined ? '' : `, about ${formatDuration(left * 1000)} left`;
  if (!last) return `${done} of ${of} runs${time}`;
  const { measures: m, broken } = last;
  const came = m
    ? `${m.agentsAlive} of ${m.sessions} agents alive, ${m.sessionsCompleted} completed, ${m.callsKilled} calls killed`
    : `BROKEN: ${broken}`;
  const variant = last.variant === null ? '' : ` x ${last.variant}`;
  return `${done} of ${of}${time}: ${last.scenario}${variant}, ${last.arm}, run ${last.run}: ${came} (${formatDuration(last.wallMs)})`;
}
