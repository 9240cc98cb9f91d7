import { evenShare, isHigh, plainArm } from './plain.ts';

export const memoryHigh = plainArm(
  'memory-high',
  'A soft limit (memory.high) for every session but those of the highest priority: what the scenario states, else an even part of the node.',
  (session, context) =>
    isHigh(session, context.sessions) ? {} : { 'memory.high': session.soft ?? evenShare(context) },
);
