import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { AcgError, parseConfig } from '../../model/index.ts';
import type {
  ArmName,
  Basis,
  FleetOptions,
  PlacementName,
  Recorded,
  Shapes,
} from '../../study/simulate/fleet/index.ts';
import { memoryOf } from '../memory.ts';
import { printJson, table } from '../print.ts';

interface Options {
  out?: string;
  json?: boolean;
  shapes?: string;
  saveShapes?: string;
  nodes: string;
  sessions: string;
  load: string;
  nodeMemory: string;
  cpus?: string;
  high: string;
  risk: string;
  replicates: string;
  perNode?: string;
  arms?: string[];
  placements?: string[];
  density: boolean;
  fleet: boolean;
  validate: boolean;
  config?: string;
  seed: string;
  workers?: string;
}

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description(
      'Nodes full of agent sessions under the policy and under its alternatives: density, lost agents, placement.',
    )
    .argument(
      '[traces...]',
      'recorded sessions whose distributions the simulated ones are drawn from (default: an example set)',
    )
    .option('-o, --out <dir>', 'folder for the report: report.html, results.json, figures/*.svg and *.csv')
    .option('--json', 'print all results as JSON')
    .option('--shapes <file>', 'distributions from a file (see --save-shapes) instead of traces')
    .option('--save-shapes <file>', 'write the fitted distributions, to be kept or edited')
    .option('--nodes <n>', 'nodes of the fleet', '40')
    .option('--sessions <n>', 'sessions that arrive at the fleet', '2000')
    .option('--load <share>', 'how fast they arrive: their mean memory over what the nodes have', '0.8')
    .option('--node-memory <size>', 'memory of a node for sessions', '16g')
    .option('--cpus <n>', 'CPUs of a node (default: CPU is never short)')
    .option('--high <share>', 'share of sessions with priority high', '0.2')
    .option('--risk <share>', 'of placement by risk: chance that bursts exceed their room at a moment', '0.01')
    .option('--per-node <list>', 'densities to try, as in 20,40,60 (default: 50 to 95 % of what fits by the mean)')
    .option('--replicates <n>', 'nodes simulated for each density and arm', '8')
    .option(
      '--arms <names...>',
      'of the density curves: none, static-share, static-peak, static-average, vpa-like, oomd-like, agentcgroup',
    )
    .option(
      '--placements <pairs...>',
      'of the fleet: PLACEMENT:ARM, as in risk:agentcgroup; placements: peak, average, vpa, risk',
    )
    .option('--no-density', 'only the fleet')
    .option('--no-fleet', 'only the density curves')
    .option('--no-validate', 'do not compare the coarse node model with the fine one')
    .option('--config <file>', "a configuration of the daemon's, to be tried on the simulated nodes")
    .option('--seed <n>', 'seed of every random draw', '1')
    .option('--workers <n>', 'threads (default: one for each processor); the result does not depend on it')
    .addHelpText(
      'after',
      `
The policy is the daemon's own, event by event; the node is a model. docs/simulate.md says what it holds and what not.

Examples:
  agentcgroup simulate --out fleet
  agentcgroup simulate ~/.local/state/agentcgroup/traces --node-memory 64g --out fleet
  agentcgroup simulate traces/ --no-fleet --per-node 40,60,70 --arms none agentcgroup --json | jq .density
  agentcgroup simulate --nodes 1000 --sessions 100000 --node-memory 8g --no-density --placements risk:agentcgroup`,
    )
    .action(run);
}

async function run(traces: string[], options: Options): Promise<void> {
  const fleet = await import('../../study/simulate/fleet/index.ts');
  const command = `agentcgroup ${process.argv.slice(2).map(quoted).join(' ')}`;
  const seed = whole(options.seed, '--seed', 0);
  const given = await shapesOf(traces, options);
  if (options.saveShapes) await writeFile(options.saveShapes, `${JSON.stringify(given.shapes, null, 1)}\n`);
  const basis = fleet.basisOf({
    shapes: given.shapes,
    seed,
    high: share(options.high, '--high'),
    risk: share(options.risk, '--risk'),
    nodeBytes: memoryOf(options.nodeMemory, '--node-memory'),
    cpus: options.cpus === undefined ? Number.POSITIVE_INFINITY : whole(options.cpus, '--cpus', 1),
    config: fleet.withHigh(await configOf(options.config)),
  });
  const fleetOptions = { ...(await wanted(options, basis)), onProgress: progress() };
  // not after minutes of work
  if (options.out !== undefined) await mkdir(options.out, { recursive: true });
  const study = await fleet.fleetStudy(basis, fleetOptions);
  const input = { study, recorded: given.recorded, command };
  if (options.json) printJson(fleet.jsonOf(input));
  else {
    process.stdout.write(`${fleet.summary(study)}\n`);
    if (study.density.length)
      process.stdout.write(
        `\n${table(
          ['arm', 'sessions per node', 'agents lost per 1000', 'kills per 1000 calls', 'HIGH', 'rest'],
          study.density.map((r) => [
            r.arm,
            String(r.sessionsPerNode),
            r.agentsLost.value.toFixed(1),
            r.killsPer1000.toFixed(1),
            times(r.high),
            times(r.rest),
          ]),
          [1, 2, 3, 4, 5],
        )}\n`,
      );
    if (study.fleet.length)
      process.stdout.write(
        `\n${table(
          [
            'placement',
            'arm',
            'at once per node',
            'wait s',
            'agents lost per 1000',
            'kills per 1000 calls',
            'HIGH',
            'rest',
          ],
          study.fleet.map((r) => [
            r.placement,
            r.arm,
            r.atOnce?.toFixed(1) ?? '-',
            r.waitSeconds.toFixed(1),
            r.agentsLost.value.toFixed(2),
            r.killsPer1000.toFixed(2),
            times(r.high),
            times(r.rest),
          ]),
          [2, 3, 4, 5, 6, 7],
        )}\n`,
      );
  }
  if (options.out !== undefined) process.stderr.write(`report: ${await fleet.writeFleetReport(input, options.out)}\n`);
}

const times = (v: number | null) => (v === null ? '-' : `${v.toFixed(3)}x`);
const quoted = (word: string) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

async function shapesOf(traces: string[], options: Options): Promise<{ shapes: Shapes; recorded: Recorded[] }> {
  const { exampleShapes, fitTraces, parseShapes } = await import('../../study/simulate/fleet/index.ts');
  if (traces.length && options.shapes) throw new AcgError('ACG_USAGE', 'traces or --shapes, not both');
  if (options.shapes) {
    const text = await readFile(options.shapes, 'utf8').catch((cause) => {
      throw new AcgError('ACG_CONFIG', `${options.shapes}: ${(cause as Error).message}`, { cause });
    });
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new AcgError('ACG_CONFIG', `${options.shapes}: ${(cause as Error).message}`, { cause });
    }
    return { shapes: parseShapes(value, options.shapes), recorded: [] };
  }
  if (!traces.length) return { shapes: exampleShapes, recorded: [] };
  return fitTraces(traces, { origin: `fitted to ${traces.join(', ')}` });
}

async function configOf(file: string | undefined) {
  if (file === undefined) return parseConfig({});
  const { loadConfig } = await import('../../control/daemon/index.ts');
  return loadConfig(file).config;
}

async function wanted(options: Options, basis: Basis): Promise<FleetOptions> {
  const { armNames, placementNames, usualArms, usualDensities, usualFleet } = await import(
    '../../study/simulate/fleet/index.ts'
  );
  const arm = (name: string): ArmName => oneOf(armNames, name, 'arm');
  return {
    arms: options.arms ? once(options.arms.flatMap((a) => a.split(',')).map(arm)) : usualArms,
    densities: !options.density
      ? []
      : options.perNode
        ? once(options.perNode.split(',').map((n) => whole(n, '--per-node', 1))).sort((a, b) => a - b)
        : usualDensities(basis),
    replicates: whole(options.replicates, '--replicates', 1),
    fleet: !options.fleet
      ? []
      : options.placements
        ? once(options.placements).map((pair) => {
            const [placement = '', on = ''] = pair.split(':');
            return { placement: oneOf<PlacementName>(placementNames, placement, 'placement'), arm: arm(on) };
          })
        : usualFleet,
    nodes: whole(options.nodes, '--nodes', 1),
    sessions: whole(options.sessions, '--sessions', 1),
    load: positive(share(options.load, '--load', 10), '--load'),
    validate: options.validate && options.density,
    ...(options.workers !== undefined && { workers: whole(options.workers, '--workers', 0) }),
  };
}

/** What is named twice would count as two: the same sessions again, and intervals as if they were others. */
const once = <T>(list: readonly T[]): T[] => [...new Set(list)];

function oneOf<T extends string>(names: readonly T[], name: string, what: string): T {
  const found = names.find((n) => n === name);
  if (!found) throw new AcgError('ACG_USAGE', `no ${what} ${JSON.stringify(name)}; there are: ${names.join(', ')}`);
  return found;
}

function whole(text: string, name: string, least: number): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new AcgError('ACG_USAGE', `${name}: a whole number from ${least}, not ${JSON.stringify(text)}`);
  return Number(text);
}

function share(text: string, name: string, most = 1): number {
  const v = Number(text);
  if (text.trim() === '' || !(v >= 0 && v <= most))
    throw new AcgError('ACG_USAGE', `${name}: a number from 0 to ${most}, not ${JSON.stringify(text)}`);
  return v;
}

/** At a load of nothing no session ever arrives. */
function positive(v: number, name: string): number {
  if (v === 0) throw new AcgError('ACG_USAGE', `${name}: more than 0`);
  return v;
}

/** On stderr: what is done and how long the rest will take; rewritten on a terminal, a line every five seconds elsewhere. */
function progress(): (done: number, of: number, what: string) => void {
  const start = performance.now();
  const terminal = process.stderr.isTTY === true;
  let last = start;
  return (done, of, what) => {
    const now = performance.now();
    if (done === of && terminal) process.stderr.write('\r\x1b[K');
    if (done === of || now - last < (terminal ? 200 : 5000)) return;
    last = now;
    const left = ((now - start) / done) * (of - done);
    const line = `${what}: ${done} of ${of} parts, about ${Math.ceil(left / 1000)} s left`;
    process.stderr.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
}
