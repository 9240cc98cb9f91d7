import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { AcgError } from '../../model/index.ts';

/** Ids and names as Docker, Podman and containerd allow them; also keeps options and patterns out of what follows. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/**
 * A process of a container, and the part of its cgroup's path that names the container. An id (12 to 64 hex digits) is
 * looked for in the cgroups of all processes, which needs no container engine; a name is asked of podman, docker or
 * crictl, whichever is there. Throws ACG_RECORD_TARGET.
 */
export function containerPid(id: string): { pid: number; component: string } {
  if (!ID.test(id))
    throw new AcgError('ACG_RECORD_TARGET', `${JSON.stringify(id.slice(0, 80))} is no container id or name`);
  if (/^[0-9a-f]{12,64}$/.test(id)) {
    const pid = pidWithCgroup(id);
    if (pid !== undefined) return { pid, component: id };
  }
  for (const [engine, ...args] of [
    ['podman', 'inspect', '--type', 'container', '--format', '{{.State.Pid}} {{.Id}}', id],
    ['docker', 'inspect', '--type', 'container', '--format', '{{.State.Pid}} {{.Id}}', id],
    ['crictl', 'inspect', '--output', 'go-template', '--template', '{{.info.pid}} {{.status.id}}', id],
  ] as [string, ...string[]][]) {
    const { stdout } = spawnSync(engine, args, { encoding: 'utf8', timeout: 10_000 });
    const m = /^(\d+) ([0-9a-f]{12,64})$/.exec(stdout?.trim() ?? '');
    if (m && Number(m[1]) > 0) return { pid: Number(m[1]), component: m[2]!.slice(0, 12) };
  }
  throw new AcgError('ACG_RECORD_TARGET', `no running container ${id}`);
}

function pidWithCgroup(id: string): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readFileSync(`/proc/${entry}/cgroup`, 'latin1').includes(id)) return Number(entry);
    } catch {
      // it has ended meanwhile
    }
  }
  return undefined;
}
