/** Workloads: sessions as shapes, from traces, drawn, or really executed; and the native replayer that runs them. */
export { ReplayFiles, type ReplayOptions, replayProgram } from './files.ts';
export { allPaused, type LoggedCall, parseLog, type SessionLog } from './log.ts';
export {
  isLive,
  type LiveCall,
  type Point,
  peakBytes,
  peakOfCall,
  type ReplaySession,
  type ShapedCall,
  wantedBytes,
} from './session.ts';
export { draw, type FittedClass, fit, fitLogNormal, type LogNormal } from './synthetic.ts';
export { callsOf, liveCallsOf, type TraceOptions, wholeAsCall } from './trace.ts';
