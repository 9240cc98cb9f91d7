import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AcgError } from '../model/index.ts';
import { type AptSource, debianMirror, parseDeb822Sources, parseOneLineSources } from './apt-sources.ts';
import { execute } from './execute.ts';

/** `bookworm` on Debian 12; undefined where the system does not say. */
export async function machineCodename(): Promise<string | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?([a-z]+)/m.exec(release)?.[1];
}

/** The machine's own Debian mirror. Throws ACG_LAB_KERNEL when its apt sources name none. */
export async function machineMirror(): Promise<string> {
  const codename = await machineCodename();
  const files = ['/etc/apt/sources.list'];
  for (const name of await readdir('/etc/apt/sources.list.d').catch(() => []))
    files.push(join('/etc/apt/sources.list.d', name));
  const sources: AptSource[] = [];
  for (const file of files) {
    if (!existsSync(file)) continue;
    if (file.endsWith('.list')) sources.push(...parseOneLineSources(await readFile(file, 'utf8')));
    else if (file.endsWith('.sources')) sources.push(...parseDeb822Sources(await readFile(file, 'utf8')));
  }
  const mirror = codename && debianMirror(sources, codename);
  if (!mirror) throw new AcgError('ACG_LAB_KERNEL', "this machine's apt sources name no Debian mirror");
  return mirror;
}

export type Apt = (program: 'apt-get' | 'apt-cache', args: string[], cwd?: string) => Promise<Buffer>;

/** apt with sources, lists, caches and package state of its own. The machine's apt.conf (proxies) still applies. */
export async function privateApt(
  work: string,
  mirror: string,
  suite: string,
  keyring: string,
  signal: AbortSignal | undefined,
): Promise<Apt> {
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    await mkdir(join(work, folder), { recursive: true });
  await writeFile(join(work, 'sources.list'), `deb [signed-by=${keyring} arch=amd64] ${mirror} ${suite} main\n`);
  await writeFile(join(work, 'status'), '');
  const settings = [
    `Dir::Etc::sourcelist=${join(work, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    'Dir::Etc::preferences=/dev/null',
    'Dir::Etc::preferencesparts=/dev/null',
    `Dir::State::Lists=${join(work, 'lists')}`,
    `Dir::State::status=${join(work, 'status')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    'APT::Architecture=amd64',
    'APT::Architectures=amd64',
    'APT::Default-Release=',
    // the download user `_apt` cannot write below a home folder
    'APT::Sandbox::User=root',
    'APT::Update::Error-Mode=any',
    'APT::Get::AllowUnauthenticated=false',
    'Acquire::AllowInsecureRepositories=false',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=30',
  ];
  const options = settings.flatMap((setting) => ['-o', setting]);
  return (program, args, cwd = work) => execute(program, [...options, ...args], { cwd, signal });
}
