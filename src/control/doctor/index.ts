/** What this machine can do for agentcgroup, row by row, found out by doing. */
import { release } from 'node:os';
import type { Capability } from '../../model/index.ts';
import { probeCgroups, type RootOptions } from '../cgroup/index.ts';
import { probeKernel } from '../kernel/index.ts';
import { kernelRows } from './kernel.ts';
import { labRows, memoryRows, ownRows } from './machine.ts';
import { processRows } from './processes.ts';
import { type Verdict, verdict } from './verdict.ts';

export interface Report extends Verdict {
  kernel: string;
  groups: { title: string; rows: Capability[] }[];
}

/** Looks at everything. Takes about a second; leaves no process, cgroup or setting behind. */
export async function examine(options: { root?: RootOptions; daemonSocket: string }): Promise<Report> {
  const kernel = kernelRows();
  const groups = [
    { title: 'cgroups', rows: await probeCgroups(options.root) },
    { title: 'processes', rows: processRows() },
    { title: 'kernel', rows: kernel },
    // what the kernel's part says already is not said twice
    { title: 'BPF programs', rows: probeKernel().filter((row) => !kernel.some((k) => k.name === row.name)) },
    { title: 'memory', rows: memoryRows() },
    { title: 'lab', rows: labRows() },
    { title: 'agentcgroup', rows: await ownRows(options.daemonSocket) },
  ];
  return { kernel: release(), ...verdict(groups.flatMap((group) => group.rows)), groups };
}

export type { Verdict } from './verdict.ts';
