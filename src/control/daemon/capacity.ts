/** What all sessions together may use: as far as our limit goes, those above it, and what others use within them. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { Config } from '../../model/index.ts';
import type { Cgroup, Root } from '../cgroup/index.ts';
import { readForPolicy } from './usage.ts';

/** A limit that our tree is under, and what is used below it that cannot be had back without pain, our part included. Bytes. */
export interface Level {
  limit: number;
  used: number;
}

/** Bytes for all sessions together: what they use, and what the tightest level has left. */
export const capacityWithin = (used: number, levels: readonly Level[]): number =>
  Math.max(0, used + Math.min(...levels.map((level) => level.limit - level.used)));

/** The machine as one of the levels, from the text of /proc/meminfo. `reserve`: left to the rest of the machine, half of it at most. */
export function machineLevel(meminfo: string, reserve: number): Level | undefined {
  const bytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]) * 1024;
  const total = bytes('MemTotal');
  const used = total - bytes('MemAvailable');
  return Number.isNaN(used) ? undefined : { limit: Math.max(total - reserve, total / 2), used };
}

/** As things are now. With `node.memory: auto` what others take of the machine is not ours to give; a stated limit is a promise that it is. */
export function capacityNow({ cgroup, mount }: Pick<Root, 'cgroup' | 'mount'>, { node }: Config): number {
  const used = usedBelow(cgroup);
  const levels: Level[] = [];
  for (let at = cgroup; at.path.startsWith(mount.path); at = at.parent) {
    // from a soft limit on the kernel reclaims and slows down, as Kubernetes' memory QoS and systemd's MemoryHigh= mean it
    const limits = [at.read('memory.max'), at.read('memory.high')].filter((limit) => typeof limit === 'number');
    const limit = Math.min(...limits);
    if (limits.length > 0) levels.push({ limit, used: at === cgroup ? used : usedBelow(at) });
    if (at.path === mount.path) break;
  }
  const machine = machineLevel(readFileSync('/proc/meminfo', 'utf8'), node.reserve);
  if (machine) levels.push(node.memory === 'auto' ? machine : { ...machine, used });
  return levels.length > 0 ? capacityWithin(used, levels) : totalmem();
}

function usedBelow(cgroup: Cgroup): number {
  const usage = readForPolicy(cgroup);
  return usage ? usage.current - Math.min(usage.inactiveFile ?? 0, usage.current) : 0;
}
