import { evenShare, plainArm } from './plain.ts';

export const memoryMax = plainArm(
  'memory-max',
  'A container limit for each session (memory.max): what the scenario states, else an even part of the node.',
  (session, context) => ({ 'memory.max': session.limit ?? evenShare(context) }),
);
