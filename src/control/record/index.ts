/** Recording what runs already, from outside and read-only: any cgroup (v2 or v1), container, session or process tree. */

export { callsFromLog } from './claude-calls.ts';
export { type RecordCost, Recorder, type RecorderOptions } from './recorder.ts';
export { findTarget, type Target, type TargetOptions } from './target.ts';
