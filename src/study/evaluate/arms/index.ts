/** The arms by name: how sessions can be put under control. */
import { AcgError } from '../../../model/index.ts';
import { agentcgroupCgroup, agentcgroupSchedExt } from './agentcgroup.ts';
import { alone } from './alone.ts';
import type { Arm } from './arm.ts';
import { earlyoom } from './earlyoom.ts';
import { memoryHigh } from './memory-high.ts';
import { memoryLow } from './memory-low.ts';
import { memoryMax } from './memory-max.ts';
import { none } from './none.ts';
import { oomd } from './oomd.ts';
import { paper } from './paper.ts';
import { staticPeak } from './static-peak.ts';
import { systemdOomd } from './systemd-oomd.ts';

export type { Arm, ArmContext, Host, RunningArm } from './arm.ts';

export const arms: readonly Arm[] = [
  alone,
  none,
  staticPeak,
  memoryMax,
  memoryHigh,
  memoryLow,
  earlyoom,
  oomd,
  systemdOomd,
  agentcgroupCgroup,
  agentcgroupSchedExt,
  paper,
];

/** Throws ACG_USAGE for a name that no arm has. */
export function armNamed(name: string): Arm {
  const arm = arms.find((a) => a.name === name);
  if (!arm) throw new AcgError('ACG_USAGE', `no arm ${name}; there are: ${arms.map((a) => a.name).join(', ')}`);
  return arm;
}
