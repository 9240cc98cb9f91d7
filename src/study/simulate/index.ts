/** Deterministic models of a node, driven by nobody or by control/policy. */
export type { Watched } from './control.ts';
export { PolicyControl, withoutControl } from './control.ts';
export { highPenalty } from './memory.ts';
export { type Control, type SimCall, SimNode, type SimSession } from './node.ts';
export { hump, ramp, type Scenario, scenarios } from './scenarios.ts';
export { type Arm, type CallOutcome, type Outcome, simulate } from './simulate.ts';
export {
  type CallSpec,
  type DemandPoint,
  demandAt,
  peakOf,
  type SessionSpec,
  type Turn,
  type Workload,
  workOf,
} from './workload.ts';
