import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { MOUNT } from '../node.ts';
import { systemdOomdPeer } from '../peers.ts';
import type { Arm, ArmContext } from './arm.ts';
import { besidePeer, onlyInLab } from './peer.ts';

const RUN = '/run/systemd';

/**
 * systemd-oomd asks the service manager which cgroups it is to watch, and a guest of the lab has none: so this arm answers in its
 * place (varlink, io.systemd.ManagedOOM), with what Debian's units say of user sessions and of the root. Debian waits for 20 s of
 * pressure; scenarios last seconds, so it gets the shortest time it can be given: 1 s.
 */
export const systemdOomd: Arm = {
  name: 'systemd-oomd',
  what: 'systemd-oomd as Debian packages it: its rules for user sessions (memory pressure above 50 %) and for the machine (swap used above 90 %), at the shortest time it takes (1 s).',
  peer: true,
  runs: systemdOomdPeer,
  async begin(context: ArmContext) {
    onlyInLab(systemdOomdPeer);
    for (const dir of ['oom', 'oomd.conf.d']) mkdirSync(join(RUN, dir), { recursive: true });
    writeFileSync(join(RUN, 'oomd.conf.d', 'evaluate.conf'), '[OOM]\nDefaultMemoryPressureDurationSec=1s\n');
    const stopServing = await serve(join(RUN, 'io.system.ManagedOOM'), [
      // of 2^32 - 1, as systemd scales its limits
      {
        mode: 'kill',
        path: context.node.path.slice(MOUNT.length),
        property: 'ManagedOOMMemoryPressure',
        limit: 2 ** 31,
      },
      { mode: 'kill', path: '/', property: 'ManagedOOMSwap' },
    ]);
    return besidePeer(context, systemdOomdPeer, [], stopServing);
  },
};

/** A service manager that knows one answer, given to whoever asks. */
async function serve(path: string, cgroups: object[]): Promise<() => void> {
  for (const old of [path, join(RUN, 'oom', 'io.system.ManagedOOM')]) rmSync(old, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => {}); // it is killed at the end of a run
    socket.once('data', () => socket.write(`${JSON.stringify({ parameters: { cgroups }, continues: true })}\0`));
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(path, done));
  return () => void server.close();
}
