import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcgError } from '../../../model/index.ts';
import { findPeer, type Peer } from '../peers.ts';
import type { ArmContext, RunningArm } from './arm.ts';
import { plainSessions } from './plain.ts';

/** What watches a whole machine, or serves its systemd, is not let loose on one that has other things to do. */
export function onlyInLab(peer: Peer): void {
  if (!process.env.AGENTCGROUP_LAB)
    throw new AcgError(
      'ACG_EVALUATE',
      `${peer.package} concerns itself with a whole machine: its arm runs in the lab only`,
    );
}

/**
 * Sessions in a cgroup each without any limit of their own, watched over by somebody else's daemon. `undo` takes back what was made
 * for the peer: when it has ended, or could not begin.
 */
export async function besidePeer(
  context: ArmContext,
  peer: Peer,
  args: string[],
  undo: () => void | Promise<void> = () => {},
): Promise<RunningArm> {
  try {
    const arm = await begin(context, peer, args);
    return {
      ...arm,
      async stop() {
        try {
          await arm.stop();
        } finally {
          await undo();
        }
      },
    };
  } catch (error) {
    await undo();
    throw error;
  }
}

async function begin(context: ArmContext, peer: Peer, args: string[]): Promise<RunningArm> {
  const found = findPeer(peer);
  if (!found) throw new AcgError('ACG_EVALUATE', `${peer.package} is not here: apt-get install ${peer.package}`);
  const logFile = join(context.dir, `${peer.package}.log`);
  const log = openSync(logFile, 'a');
  const env = { ...process.env, ...(found.library && { LD_LIBRARY_PATH: dirname(found.library) }) };
  const daemon = spawn(found.program, args, { stdio: ['ignore', log, log], env });
  closeSync(log);
  const over = () => daemon.exitCode !== null || daemon.signalCode !== null;
  // it says nothing when it is ready: one that cannot run here ends at once
  await sleep(500);
  const check = () => {
    if (over())
      throw new AcgError(
        'ACG_EVALUATE',
        `${peer.package} ended: ${readFileSync(logFile, 'utf8').trim().split('\n').at(-1)}`,
      );
  };
  check();
  return {
    ...plainSessions(context, () => ({})),
    controllers: [daemon.pid!],
    peer: `${peer.package} ${found.version}`,
    async stop() {
      check();
      await ended(daemon);
    },
  };
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => void child.once('exit', () => done()));
  child.kill('SIGKILL');
  await gone;
}
