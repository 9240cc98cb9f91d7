import type { Thresholds } from '../measure/session.ts';
import { burstDefinitions } from './bursts.ts';
import { calls } from './calls.ts';
import { cpu } from './cpu.ts';
import type { Definition } from './definition.ts';
import { memory } from './memory.ts';
import { provisioning } from './provisioning.ts';
import { relations } from './relations.ts';
import { retries } from './retries.ts';
import { setting } from './setting.ts';
import { time } from './time.ts';
import { tools } from './tools.ts';

/** Every finding, in the order of the report. */
export function definitions(thresholds: Thresholds): Definition[] {
  return [
    ...setting,
    ...time,
    ...tools,
    ...cpu,
    ...memory,
    ...burstDefinitions(thresholds),
    ...calls,
    ...retries,
    ...relations,
    ...provisioning,
  ];
}
