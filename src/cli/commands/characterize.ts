import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { AcgError, formatSize } from '../../model/index.ts';
import type { Input, StudyOptions } from '../../study/characterize/index.ts';
import { memoryOf } from '../memory.ts';

interface Options {
  out?: string;
  json?: boolean;
  compare?: string[];
  minSamples?: string;
  minSeconds?: string;
  nodeMemory?: string;
  seed: string;
}

export function addCharacterize(program: Command): void {
  program
    .command('characterize')
    .description(
      'What recorded sessions cost the operating system: the tables and figures of the AgentCgroup paper, and sound ones beside them.',
    )
    .argument('[traces...]', 'traces, data sets, session files, or folders of them; NAME=PATH names a set')
    .option(
      '-o, --out <dir>',
      'folder for the report: report.html, findings.json, findings.csv, figures/*.svg and *.csv',
    )
    .option('--json', 'print all values as JSON')
    .addOption(
      new Option(
        '--compare <sets...>',
        'set two sets against each other, with intervals: two names of sets, or two paths',
      ),
    )
    .option(
      '--min-samples <n>',
      'leave out sessions with fewer samples (default: 10 for the public data set, 0 for others)',
    )
    .option(
      '--min-seconds <s>',
      'leave out sessions sampled for less (default: 60 for the public data set, 0 for others)',
    )
    .option(
      '--node-memory <size>',
      'memory of the node that sessions are packed on (default: the largest limit they ran under)',
    )
    .option('--seed <n>', 'seed of every random draw', '1')
    .addHelpText(
      'after',
      `
Reads what \`agentcgroup trace validate\` accepts: our own recordings, the AgentCgroup data set, session files of Claude Code
and Codex. What a trace does not hold is reported as unknown, with the reason. docs/characterize.md explains the findings.

Examples:
  agentcgroup characterize ~/.local/state/agentcgroup/traces --out report
  agentcgroup characterize haiku=experiments/all_images_haiku glm=experiments/all_images_local --out report --compare haiku glm
  agentcgroup characterize session.ndjson --json | jq '.findings["mem.p2a"].sound'
  agentcgroup characterize --compare last-week this-week --out report`,
    )
    .action(run);
}

async function run(traces: string[], options: Options): Promise<void> {
  if (!options.out && !options.json) throw new AcgError('ACG_USAGE', 'nothing to do: give --out DIR, --json, or both');
  const inputs = traces.map(inputOf);
  const compared = await comparedSets(options.compare, inputs);
  if (!inputs.length) throw new AcgError('ACG_USAGE', 'no traces given');
  const { Store, study, writeReport, jsonOf } = await import('../../study/characterize/index.ts');
  const progress = progressLine();
  await using store = await Store.create();
  const studied = await study(store, inputs, {
    ...filterOf(options),
    seed: integer(options.seed, '--seed'),
    ...(options.nodeMemory !== undefined && { nodeBytes: memoryOf(options.nodeMemory, '--node-memory') }),
    ...(compared && { compare: compared }),
    onProgress: progress.say,
  });
  const written = options.out === undefined ? undefined : await writeReport(store, studied, options.out, progress.say);
  progress.end();
  if (options.json) for await (const piece of jsonOf(store, studied)) process.stdout.write(piece);
  if (written) {
    const size = (await stat(written.report)).size;
    process.stderr.write(
      `${studied.gathered.used} of ${studied.gathered.sessions} sessions, ${studied.findings.length} findings, ${written.figures.length} figures: ${written.report} (${formatSize(size)})\n`,
    );
  }
}

/** "haiku=path" names the set; a path with an equals sign is written "./a=b". */
function inputOf(text: string): Input {
  const m = /^([\w.+-]{1,40})=(.+)$/.exec(text);
  return m ? { set: m[1]!, path: m[2]! } : { path: text };
}

/** Two names of sets that are given anyway, or two paths, which are then inputs of their own. */
async function comparedSets(given: string[] | undefined, inputs: Input[]): Promise<[string, string] | undefined> {
  if (!given) return undefined;
  if (given.length !== 2) throw new AcgError('ACG_USAGE', '--compare takes two sets');
  const names: string[] = [];
  for (const text of given) {
    const input = inputOf(text);
    const named = inputs.some((i) => i.set === text) || !(await exists(input.path));
    if (named) names.push(text);
    else {
      const name = input.set ?? input.path.replace(/\/+$/, '').split('/').at(-1)!;
      inputs.push({ path: input.path, set: name });
      names.push(name);
    }
  }
  if (names[0] === names[1])
    throw new AcgError('ACG_USAGE', `--compare: both sets are called ${names[0]}; name them A=PATH B=PATH`);
  return [names[0]!, names[1]!];
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

function filterOf(options: Options): Pick<StudyOptions, 'filter'> {
  if (options.minSamples === undefined && options.minSeconds === undefined) return {};
  return {
    filter: {
      minSamples: integer(options.minSamples ?? '0', '--min-samples'),
      minSeconds: integer(options.minSeconds ?? '0', '--min-seconds'),
    },
  };
}

function integer(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new AcgError('ACG_USAGE', `${name}: a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** One line on stderr that is written over; nothing where stderr is no terminal, but a line every five seconds. */
function progressLine(): { say: (text: string) => void; end: () => void } {
  let last = Date.now();
  const terminal = process.stderr.isTTY === true;
  return {
    say(text) {
      const now = Date.now();
      if (now - last < (terminal ? 100 : 5000)) return;
      last = now;
      // task names come from traces: nothing but printable characters reaches the terminal
      const line = text.replace(/[^\x20-\x7e]/g, '?').slice(0, 78);
      process.stderr.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
    },
    end() {
      if (terminal) process.stderr.write('\r\x1b[K');
    },
  };
}
