/** What the replayer's processes noted, as calls. Pure. Times are CLOCK_MONOTONIC, ms. */
export interface LoggedCall {
  n: number;
  attempt: number;
  asked: number;
  /** First instruction of its first process; null when none got there. */
  start: number | null;
  /** As the agent saw it; null when the agent did not live to see it. */
  end: number | null;
  status: number | null;
  feedback: boolean;
  /** All its processes stood still. */
  pauses: [number, number][];
}

export interface SessionLog {
  /** When it was set up and waited at the barrier. */
  ready: number | undefined;
  /** When its plan was over. */
  fin: number | undefined;
  calls: LoggedCall[];
  /** Latencies of growth by one MiB, microseconds, in order. */
  growthUs: number[];
}

interface Worker {
  start: number;
  end: number | undefined;
  pauses: [number, number][];
}

/** `agent` and `calls`: the texts of the two logs. A line cut off by a kill is left out. */
export function parseLog(agent: string, calls: string): SessionLog {
  const log: SessionLog = { ready: undefined, fin: undefined, calls: [], growthUs: [] };
  for (const [word, ...rest] of words(agent)) {
    const n = rest.map(Number);
    if (word === 'ready') log.ready = n[0]! / 1e6;
    else if (word === 'fin') log.fin = n[0]! / 1e6;
    else if (word === 'ask')
      log.calls.push({
        n: n[0]!,
        attempt: n[1]!,
        asked: n[2]! / 1e6,
        start: null,
        end: null,
        status: null,
        feedback: false,
        pauses: [],
      });
    else if (word === 'end') {
      const call = log.calls.find((c) => c.n === n[0] && c.attempt === n[1]);
      if (call) Object.assign(call, { end: n[2]! / 1e6, status: n[3], feedback: n[4] === 1 });
    }
  }
  const workers = new Map<LoggedCall, Map<number, Worker>>();
  // calls of one session come one after the other: what is noted belongs to the last that started
  let current: Map<number, Worker> | undefined;
  for (const [word, ...rest] of words(calls)) {
    const n = rest.map(Number);
    if (word === 'S') {
      const call = log.calls.find((c) => c.n === n[0] && c.attempt === n[1]);
      if (!call) continue;
      call.start ??= n[3]! / 1e6;
      if (!workers.has(call)) workers.set(call, new Map());
      current = workers.get(call)!;
      current.set(n[2]!, { start: n[3]! / 1e6, end: undefined, pauses: [] });
    } else if (word === 'G') log.growthUs.push(n[2]!);
    else if (word === 'P') current?.get(n[1]!)?.pauses.push([n[2]! / 1e6, n[3]! / 1e6]);
    else if (word === 'E') {
      const worker = current?.get(n[1]!);
      if (worker) worker.end = n[2]! / 1e6;
    }
  }
  for (const [call, of] of workers) call.pauses = allPaused([...of.values()], call.end);
  return log;
}

function* words(text: string): Generator<string[]> {
  // the last piece is empty, or a line that a kill cut off
  for (const line of text.split('\n').slice(0, -1)) yield line.split(' ');
}

/** The stretches in which every worker that has started and not ended stood still. */
export function allPaused(workers: Worker[], callEnd: number | null): [number, number][] {
  const steps: { t: number; running: number; paused: number }[] = [];
  for (const w of workers) {
    const end = w.end ?? callEnd ?? Math.max(w.start, ...w.pauses.map((p) => p[1]));
    steps.push({ t: w.start, running: 1, paused: 0 }, { t: end, running: -1, paused: 0 });
    for (const [from, to] of w.pauses)
      steps.push({ t: from, running: 0, paused: 1 }, { t: Math.min(to, end), running: 0, paused: -1 });
  }
  steps.sort((a, b) => a.t - b.t);
  const found: [number, number][] = [];
  let [running, paused] = [0, 0];
  let since: number | undefined;
  for (const step of steps) {
    running += step.running;
    paused += step.paused;
    const still = running > 0 && paused >= running;
    if (still) since ??= step.t;
    else if (since !== undefined) {
      if (step.t > since) found.push([since, step.t]);
      since = undefined;
    }
  }
  return found;
}
