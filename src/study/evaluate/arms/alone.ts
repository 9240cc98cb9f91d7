import { plainArm } from './plain.ts';

/** The reference. That sessions run one after the other is the runner's doing: see `execute.ts`. */
export const alone = plainArm(
  'alone',
  'The reference: one session of each kind by itself, under the limit of the node.',
  () => ({}),
);
