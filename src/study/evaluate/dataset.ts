/** The public data set, fetched by git: only the folder that holds it, without the repository's past. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AcgError } from '../../model/index.ts';

const run = promisify(execFile);
/** Where the sets are in the repository. */
const FOLDER = 'experiments';
const TIMEOUT_MS = 30 * 60_000;

/** Where `agentcgroup dataset fetch` puts the public data set. */
export const datasetFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup', 'dataset');

/**
 * Puts the data sets of the repository `from` into `out` and returns their names. What was in `out` is replaced at the end, in one
 * go. Throws ACG_DATASET when it cannot be reached or has no data sets, ACG_USAGE when anything but data sets is in `out`.
 */
export async function fetchDataset(from: string, out: string, say: (text: string) => void): Promise<string[]> {
  // git takes options and commands from what stands in the place of an address
  if (!/^(https?|file|git|ssh):\/\//.test(from))
    throw new AcgError('ACG_DATASET', `${from} is no address of a repository`);
  const target = resolve(out);
  refuseOthers(target);
  mkdirSync(dirname(target), { recursive: true });
  const staging = mkdtempSync(`${target}.new-`);
  const git = async (...args: string[]) => {
    try {
      const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' };
      await run('git', args, { timeout: TIMEOUT_MS, maxBuffer: 2 ** 26, env });
    } catch (cause) {
      const said = String((cause as { stderr?: string }).stderr || (cause as Error).message);
      // behind its reason git has general advice
      const lines = said.trim().split('\n');
      const why = lines.find((line) => line.startsWith('fatal: ')) ?? lines.at(-1);
      throw new AcgError('ACG_DATASET', `${from}: ${why}`, { cause });
    }
  };
  try {
    const clone = join(staging, 'clone');
    say(`fetching ${from}`);
    await git('clone', '--quiet', '--depth', '1', '--filter=blob:none', '--sparse', '--', from, clone);
    await git('-C', clone, 'sparse-checkout', 'set', FOLDER);
    const sets = dataSets(join(clone, FOLDER));
    if (sets.length === 0) throw new AcgError('ACG_DATASET', `${from} has no data sets in ${FOLDER}/`);
    const fresh = join(staging, 'sets');
    for (const set of sets) cpSync(join(clone, FOLDER, set), join(fresh, set), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
    return sets;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** What is in the folder will be gone: only data sets may be. */
function refuseOthers(target: string): void {
  if (!existsSync(target)) return;
  const sets = dataSets(target);
  const other = readdirSync(target).find((name) => !sets.includes(name));
  if (other !== undefined)
    throw new AcgError('ACG_USAGE', `--out ${target} holds ${other}, which is no data set: name a folder of its own`);
}

/** Folders of tasks with attempts: `<set>/<task>/attempt_<n>`. */
function dataSets(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const folders = (path: string) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  return folders(folder).filter((set) =>
    folders(join(folder, set)).some((task) =>
      folders(join(folder, set, task)).some((name) => /^attempt_\d+$/.test(name)),
    ),
  );
}
