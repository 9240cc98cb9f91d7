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
  /** A package beside it whose library is of no use to others, and the library's path in it. */
  library?: { package: string; path: string };
}

/** A peer as it is on this machine. */
export interface FoundPeer {
  program: string;
  library: string | undefined;
  version: string;
}

export const earlyoomPeer: Peer = { package: 'earlyoom', program: 'usr/bin/earlyoom' };
export const oomdPeer: Peer = { package: 'oomd', program: 'usr/bin/oomd' };
/** Of Debian 12, as its library says. */
export const systemdOomdPeer: Peer = {
  package: 'systemd-oomd',
  program: 'lib/systemd/systemd-oomd',
  library: { package: 'libsystemd-shared', path: 'usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so' },
};

const folderOf = (peer: Peer) =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'agentcgroup', 'peers', peer.package);

/** Where the peer's program is, installed or in the cache, and its version; undefined when it is nowhere. */
export function findPeer(peer: Peer): FoundPeer | undefined {
  for (const root of [folderOf(peer), '/']) {
    const program = join(root, peer.program);
    const library = peer.library && join(root, peer.library.path);
    if (!existsSync(program) || (library && !existsSync(library))) continue;
    const version = root === '/' ? 'version-installed' : readdirSync(root).find((name) => name.startsWith('version-'));
    return { program, library, version: version?.slice(8) ?? 'unknown' };
  }
  return undefined;
}

/** Sees to it that `findPeer` finds it. Throws ACG_EVALUATE, with what to do, when apt cannot get it. */
export async function fetchPeer(peer: Peer, say: (text: string) => void): Promise<void> {
  if (findPeer(peer)) return;
  const folder = folderOf(peer);
  mkdirSync(join(folder, '..'), { recursive: true });
  const staging = mkdtempSync(`${folder}.new-`);
  try {
    say(`fetching Debian's ${peer.package} (unpacked into the cache, not installed)`);
    const packages = [peer.package, ...(peer.library ? [peer.library.package] : [])];
    await run('apt-get', ['download', ...packages], { cwd: staging, timeout: 300_000 });
    const debs = readdirSync(staging).filter((name) => name.endsWith('.deb'));
    for (const deb of debs) await run('dpkg', ['-x', deb, 'root'], { cwd: staging });
    const deb = debs.find((name) => name.startsWith(`${peer.package}_`))!;
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
