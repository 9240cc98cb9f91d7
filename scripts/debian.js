/**
 * Single packages out of other Debian suites, without installing them: a private sources list on the machine's own mirror,
 * apt's signature check, `dpkg -x` into the cache. Dependency-free; runs on Node 20.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup');

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const mirror = /\bhttps?:\/\/\S+\/debian\/?(?=\s|$)/;

/** The machine's own Debian mirror, from its apt sources (either format). Throws when they name none. */
export function mirrorUri() {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  for (const file of [...files, '/etc/apt/sources.list'].filter(existsSync)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const found = lines.filter((line) => !line.trimStart().startsWith('#')).find((line) => mirror.test(line));
    if (found) return mirror.exec(found)[0];
  }
  throw new Error("this machine's apt sources name no Debian mirror");
}

function run(command, args, options = {}) {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error || status !== 0)
    throw new Error(`${command} ${args.at(-1)}: ${error?.message ?? stderr.trim().split('\n').slice(-3).join('; ')}`);
}

/**
 * The folder that holds the unpacked packages, each written `name/suite`; fetched when it is not there yet. Throws an Error
 * with apt's own words. What is in the folder never changes: `name` plus the packages is its identity.
 */
export function unpackedPackages(name, packages) {
  const target = join(cache, 'packages', `${name}-${packages.join('+').replaceAll('/', '@')}`);
  if (existsSync(target)) return target;
  const work = `${target}.${process.pid}`;
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'root'])
      mkdirSync(join(work, folder), { recursive: true });
    const suites = new Set(packages.map((p) => p.split('/')[1]));
    const sources = [...suites].map((suite) => `deb [signed-by=${keyring}] ${mirrorUri()} ${suite} main\n`);
    writeFileSync(join(work, 'sources.list'), sources.join(''));
    const options = {
      'Dir::Etc::sourcelist': join(work, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::Lists': join(work, 'lists'),
      'Dir::Cache': work,
      // the sandbox user may not reach a cache in somebody's home
      'APT::Sandbox::User': 'root',
    };
    const settings = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    run('apt-get', ['-qq', ...settings, 'update'], { cwd: work });
    run('apt-get', ['-qq', ...settings, 'download', ...packages], { cwd: work });
    for (const file of readdirSync(work).filter((f) => f.endsWith('.deb')))
      run('dpkg', ['-x', join(work, file), join(work, 'root')]);
    // another build may have been quicker
    if (!existsSync(target)) renameSync(join(work, 'root'), target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
