/**
 * Programs of others that an arm runs, as Debian packages them: downloaded and unpacked into the cache when such an arm is used,
 * never installed, so that nothing starts on the machine.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AcgError } from '../../model/index.ts';

const run = promisify(execFile);

export interface Peer {
  package: string;
  /** Path of the program in the package. */
  program: string;
}

export const earlyoomPeer: Peer = { package: 'earlyoom', program: 'usr/bin/earlyoom' };
export const oomdPeer: Peer = { package: 'oomd', program: 'usr/bin/oomd' };

const folderOf = (peer: Peer) =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup', 'peers', peer.package);

/** Where the peer's program is, installed or in the cache, and its version; undefined when it is nowhere. */
export function findPeer(peer: Peer): { program: string; version: string } | undefined {
  const cached = folderOf(peer);
  if (existsSync(join(cached, peer.program))) {
    const version =
      readdirSync(cached)
        .find((name) => name.startsWith('version-'))
        ?.slice(8) ?? 'unknown';
    return { program: join(cached, peer.program), version };
  }
  const installed = join('/', peer.program);
  return existsSync(installed) ? { program: installed, version: 'installed' } : undefined;
}

/** Sees to it that `findPeer` finds it. Throws ACG_EVALUATE, with what to do, when apt cannot get it. */
export async function fetchPeer(peer: Peer, say: (text: string) => void): Promise<void> {
  if (findPeer(peer)) return;
  const folder = folderOf(peer);
  mkdirSync(join(folder, '..'), { recursive: true });
  const staging = mkdtempSync(`${folder}.new-`);
  try {
    say(`fetching Debian's ${peer.package} (unpacked into the cache, not installed)`);
    await run('apt-get', ['download', peer.package], { cwd: staging, timeout: 300_000 });
    const deb = readdirSync(staging).find((name) => name.endsWith('.deb'))!;
    await run('dpkg', ['-x', deb, 'root'], { cwd: staging });
    const version = decodeURIComponent(deb.split('_')[1]!);
    mkdirSync(join(staging, 'root', `version-${version}`));
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(staging, 'root'), folder);
  } catch (cause) {
    const said = String((cause as { stderr?: string }).stderr || (cause as Error).message);
    throw new AcgError(
      'ACG_EVALUATE',
      `Debian's ${peer.package} is not to be had: ${said.trim().split('\n').at(-1)}; apt-get install ${peer.package}, or leave its arm out`,
      { cause },
    );
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
