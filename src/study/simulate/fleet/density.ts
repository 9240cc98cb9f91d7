/** A node that always holds the same number of sessions: who ends is followed by another one. */
import { type ArmName, armOf } from './arms.ts';
import type { Basis } from './basis.ts';
import { drawSession } from './draw.ts';
import { FleetNode, type NodeOptions } from './run-node.ts';
import type { Tally } from './tally.ts';

export interface DensityJob extends Pick<NodeOptions, 'tickMs' | 'leaps'> {
  kind: 'density';
  arm: ArmName;
  sessions: number;
  /** Its own random numbers: the same sessions in the same order for every arm and density. */
  replicate: number;
}

/** Warm-up, and the time in which sessions that start are counted: in mean times of a session alone. */
const WARM = 1;
const COUNTED = 2;
/** Counted sessions that have not ended after so many mean times are unfinished. */
const PATIENCE = 15;

export function runDensity(job: DensityJob, basis: Basis): Tally {
  const { sessions } = job;
  const { shapes, meanMs, nodeBytes, usualPeak, config, seed, high } = basis;
  const [from, to] = [WARM * meanMs, (WARM + COUNTED) * meanMs];
  const counts = (startsAt: number) => startsAt >= from && startsAt < to;
  const node = new FleetNode({ ...basis, ...job }, armOf(job.arm, { nodeBytes, sessions, usualPeak, config }), (s) =>
    counts(s.spec.startsAt),
  );
  let next = job.replicate * 1_000_000;
  let open = 0;
  const put = (startsAt: number) => {
    node.add(drawSession(shapes, next++, { seed, high }, startsAt));
    if (counts(startsAt)) open++;
  };
  // spread over the warm-up, so that sessions are at all points of their course
  for (let i = 0; i < sessions; i++) put((i * meanMs) / sessions);
  while (node.now < to || (open > 0 && node.now < PATIENCE * meanMs)) {
    for (const s of node.advance(node.now < to ? to : PATIENCE * meanMs)) {
      if (counts(s.spec.startsAt)) open--;
      put(node.now);
    }
  }
  node.breakOff();
  return node.tally;
}
