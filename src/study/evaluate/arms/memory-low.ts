import { peakBytes } from '../../replay/index.ts';
import { isHigh, plainArm } from './plain.ts';

export const memoryLow = plainArm(
  'memory-low',
  'Protection from reclaim (memory.low) of the whole peak of the sessions with the highest priority, and nothing else.',
  (session, context) => (isHigh(session, context.sessions) ? { 'memory.low': peakBytes(session.replay) } : {}),
);
