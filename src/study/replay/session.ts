/** What a replayed session does: the form that every source of workloads (shapes, traces, draws, commands) is brought into. */

/** What a call holds at a moment of its own time; in between it changes evenly. ms, bytes, CPUs. */
export interface Point {
  at: number;
  /** Anonymous memory of all its processes together. */
  anon: number;
  /** Page cache it has read so far: never falls. */
  file: number;
  /** CPUs kept busy until the next point. */
  cpu: number;
}

/** A tool call reproduced by the native replayer. */
export interface ShapedCall {
  /** What it stands for; its first word is the program's name that control sees. */
  command: string;
  /** Think time before it, ms. */
  after: number;
  shape: Point[];
  /** Processes that share its memory and CPU evenly. */
  workers: number;
  hint?: string | undefined;
  /** Tried so often again when killed. */
  retries: number;
  /** Part of the memory with which it is tried again by an agent that was told why. */
  smaller: number;
}

/** A tool call that is a real command, run in the session's workspace. */
export interface LiveCall {
  after: number;
  live: string;
  /** Folder in which it runs. */
  cwd: string;
  hint?: string | undefined;
}

export interface ReplaySession {
  name: string;
  /** Starts so long after the barrier, ms. */
  startAfter: number;
  agent: { anon: number; file: number };
  calls: (ShapedCall | LiveCall)[];
}

export const isLive = (call: ShapedCall | LiveCall): call is LiveCall => 'live' in call;

export const peakOfCall = (call: ShapedCall): number => Math.max(0, ...call.shape.map((p) => p.anon));

/** The most anonymous memory a call is to hold at once, bytes; 0 for a real command, of which nobody knows. */
export const wantedBytes = (call: ShapedCall | LiveCall): number => (isLive(call) ? 0 : peakOfCall(call));

/** The most anonymous memory of the session at once, agent included. */
export const peakBytes = (session: ReplaySession): number =>
  session.agent.anon + Math.max(0, ...session.calls.map(wantedBytes));
