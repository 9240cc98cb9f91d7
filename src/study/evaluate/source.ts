/** Where the calls of a session come from that are not in the scenario itself: recorded sessions. */
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { type ImportedSession, openTraces } from '../../trace/index.ts';
import { callsOf, draw, fit, type LiveCall, liveCallsOf, type ShapedCall, wholeAsCall } from '../replay/index.ts';
import { datasetFolder } from './dataset.ts';
import type { Source } from './scenario.ts';

/** `dir`: the folder of the data set; the fetched one when null. Every trace is read once. */
export function sourceFor(dir: string | null): Source {
  const read = new Map<string, Promise<ImportedSession>>();
  const place = (path: string) => {
    const full = isAbsolute(path) ? path : join(dir ?? datasetFolder(), path);
    if (!existsSync(full))
      throw new AcgError('ACG_DATASET', `${full} is not there; name the data set's folder with --dataset, or fetch it`);
    return full;
  };
  const sessionAt = (path: string) => {
    if (!read.has(path)) read.set(path, lastSession(path));
    return read.get(path)!;
  };
  const fitted = new Map<string, Promise<ReturnType<typeof fit>>>();
  const fittedTo = (paths: string[], speed: number) => {
    const key = JSON.stringify([paths, speed]);
    if (!fitted.has(key)) fitted.set(key, allCalls(paths, speed).then(fit));
    return fitted.get(key)!;
  };
  return async (session, { speed }, seed): Promise<(ShapedCall | LiveCall)[]> => {
    const { trace, synthetic } = session;
    if (synthetic) return draw(await fittedTo(synthetic.traces.map(place), speed), synthetic.calls, seed);
    if (!trace) return [];
    const recorded = await sessionAt(place(trace.path));
    if (trace.as === 'commands') return liveCallsOf(recorded, speed, trace.workspace!);
    return (trace.as === 'whole' ? wholeAsCall : callsOf)(recorded, { speed, scale: trace.scale });
  };
}

/** A folder of attempts stands for the last one. */
async function lastSession(path: string): Promise<ImportedSession> {
  let last: ImportedSession | undefined;
  for await (const trace of openTraces([path])) last = trace;
  return last!;
}

async function allCalls(paths: string[], speed: number): Promise<ShapedCall[]> {
  const calls: ShapedCall[] = [];
  for await (const trace of openTraces(paths)) calls.push(...callsOf(trace, { speed, scale: 1 }));
  if (calls.length === 0) throw new AcgError('ACG_TRACE_EMPTY', `no commands in ${paths.join(', ')}`);
  return calls;
}
