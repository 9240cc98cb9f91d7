import type { TraceRecord } from '../../model/index.ts';
import { openTraces } from '../../trace/index.ts';

/**
 * What an agent's own session file says about the time of a recording: its calls and log entries, under the recording's
 * session. Calls that began before the recording are left out, so are ends after it. Throws ACG_TRACE.
 */
export async function callsFromLog(
  path: string,
  recording: { session: string; tenant: string; start: number; end: number },
): Promise<TraceRecord[]> {
  const { session, tenant, start, end } = recording;
  const records: TraceRecord[] = [];
  for await (const s of openTraces([path])) {
    for (const call of s.calls) {
      if (call.start < start || call.start > end) continue;
      const { end: ended, durationMs, ...rest } = call;
      const whole = ended !== undefined && ended <= end;
      records.push({
        ...rest,
        session,
        tenant,
        ...(whole && { end: ended }),
        ...(whole && durationMs !== undefined && { durationMs }),
      });
    }
    for (const event of s.events) if (event.t >= start && event.t <= end) records.push({ ...event, session });
  }
  return records;
}
