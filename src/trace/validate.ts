import { type BadLine, readTrace } from './reader.ts';

/**
 * What is wrong with an NDJSON trace, line by line: lines that are no sound records, and sound records that contradict
 * others (a call that ends before it starts, a cgroup's samples out of order, records of a session that is never
 * introduced). Resolves with the number of sound lines.
 */
export async function validateTrace(path: string, wrong: (line: BadLine) => void): Promise<number> {
  const last = new Map<string, number>();
  const introduced = new Set<string>();
  const orphans = new Map<string, number>();
  let sound = 0;
  for await (const { line, record: r } of readTrace(path, wrong)) {
    const problem = contradiction();
    if (problem) wrong({ line, why: problem });
    else sound++;

    function contradiction(): string | undefined {
      if (r.type === 'session') {
        introduced.add(r.session);
        orphans.delete(r.session);
        return r.end !== undefined && r.end < r.start ? 'the session ends before it starts' : undefined;
      }
      if (r.session !== undefined && !introduced.has(r.session) && !orphans.has(r.session))
        orphans.set(r.session, line);
      if (r.type === 'call')
        return r.end !== undefined && r.end < r.start ? 'the call ends before it starts' : undefined;
      if (r.type !== 'sample') return undefined;
      const key = `${r.session}\n${r.scope ?? 'session'}\n${r.call ?? ''}\n${r.cgroup ?? ''}`;
      const before = last.get(key);
      if (before !== undefined && r.t <= before) return 'not later than the sample before it of the same cgroup';
      last.set(key, r.t);
      return undefined;
    }
  }
  for (const [session, line] of orphans) wrong({ line, why: `session ${session} has no session record` });
  return sound;
}
