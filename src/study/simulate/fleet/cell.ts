/** Part of a fleet: nodes that share a queue. Cells are independent of each other, so any number of workers may run them. */
import { seeded } from '../../statistics/index.ts';
import { type ArmName, armOf } from './arms.ts';
import type { Basis } from './basis.ts';
import { drawSession } from './draw.ts';
import { bestFit, type Load, type PlacementName, placementOf } from './placement.ts';
import { coarse, FleetNode } from './run-node.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

export interface CellJob {
  kind: 'cell';
  arm: ArmName;
  placement: PlacementName;
  /** Its number, which makes its random numbers: the same sessions at the same times for every arm and placement. */
  cell: number;
  nodes: number;
  sessions: number;
  /** Demand that arrives over what all nodes together can hold, by mean memory. */
  load: number;
}

export interface CellResult {
  tally: Tally;
  /** From arrival to start, summed, milliseconds. */
  waitedMs: number;
  /** Sessions that had to wait. */
  waited: number;
  /** When the last session had ended. */
  endedAt: number;
  /** Sessions on a node while sessions still arrived, after a mean time of warm-up: sum over looks, and looks. */
  present: number;
  looks: number;
}

/** The queue is looked at so often, milliseconds. */
const EPOCH = 5000;

export function runCell(job: CellJob, basis: Basis): CellResult {
  const { meanMs, meanBytes, nodeBytes, usualPeak, config, seed, shapes, high } = basis;
  const rule = placementOf(job.placement, basis);
  const perNode = Math.max(1, Math.floor(nodeBytes / meanBytes));
  const arm = armOf(job.arm, { nodeBytes, sessions: perNode, usualPeak, config });
  const nodes = Array.from({ length: job.nodes }, () => new FleetNode({ ...basis, ...coarse }, arm));
  const loads: Load[] = nodes.map(() => ({ sessions: 0, bytes: 0 }));
  const apart = (meanMs * meanBytes) / (job.load * job.nodes * nodeBytes);
  const random = seeded(seed + 7919 * (job.cell + 1));
  const draw = (i: number) => drawSession(shapes, job.cell * 1_000_000 + i, { seed, high });
  const result: CellResult = { tally: emptyTally(), waitedMs: 0, waited: 0, endedAt: 0, present: 0, looks: 0 };
  const arrivals: number[] = [];
  let arrivedAt = 0;
  let head = 0;
  let ended = 0;
  for (let now = 0; ended < job.sessions; now += EPOCH) {
    while (arrivals.length < job.sessions && arrivedAt < now + EPOCH) {
      arrivals.push(arrivedAt);
      arrivedAt -= Math.log(1 - random()) * apart;
    }
    while (head < arrivals.length) {
      const next = draw(head);
      const to = bestFit(rule, loads, next);
      if (to === undefined) break;
      next.startsAt = Math.max(now, arrivals[head]!);
      if (next.startsAt - arrivals[head]! > EPOCH) {
        result.waited++;
        result.waitedMs += next.startsAt - arrivals[head]!;
      }
      loads[to]!.sessions++;
      loads[to]!.bytes += rule.booked(next);
      nodes[to]!.add(next);
      head++;
    }
    for (const [i, node] of nodes.entries())
      while (node.now < now + EPOCH)
        for (const s of node.advance(now + EPOCH)) {
          ended++;
          result.endedAt = Math.max(result.endedAt, s.endedAt!);
          loads[i]!.sessions--;
          loads[i]!.bytes -= rule.booked(s.spec as ReturnType<typeof draw>);
        }
    if (now > meanMs && arrivals.length < job.sessions) {
      result.looks += job.nodes;
      for (const l of loads) result.present += l.sessions;
    }
  }
  for (const node of nodes) addTally(result.tally, node.tally);
  return result;
}
