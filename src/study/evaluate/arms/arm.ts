import type { EventRecord, SessionRequest } from '../../../model/index.ts';
import type { ReplayFiles } from '../../replay/index.ts';
import type { NodeTree } from '../node.ts';
import type { Peer } from '../peers.ts';
import type { PlannedSession } from '../scenario.ts';
import type { ArmInfo, Environment, Scenario } from '../types.ts';

/** What this release offers to arms that use it: its command line and its way of starting a session. */
export interface Host {
  /** The words that start `agentcgroup`. */
  command: string[];
  version: string;
  program: Environment['program'];
  /** `agentcgroup run`: starts an agent as a session of the daemon in `runDir`; its exit status as a shell has it. */
  runSession(agent: string[], request: SessionRequest, runDir: string): Promise<number>;
}

/** What an arm is given for one run. The node exists and has its limit. */
export interface ArmContext {
  scenario: Scenario;
  sessions: PlannedSession[];
  node: NodeTree;
  files: ReplayFiles;
  /** A folder of this run for sockets and logs, gone afterwards. */
  dir: string;
  host: Host;
}

export interface RunningArm {
  /** Sessions to be set up before the barrier; the others are started when `next` names them. */
  first: PlannedSession[];
  /** Called when a session is over: those that start now. */
  next?(ended: PlannedSession): PlannedSession[];
  /** Starts the session's agent; resolves with its exit status, as a shell has it, when it is over. */
  start(session: PlannedSession): Promise<number>;
  /** The controller's processes. */
  controllers: number[];
  /** The session and the call that a cgroup below the node belongs to; `call` null: the agent, or the session as a whole. */
  place(path: string): { session: string; call: string | null } | undefined;
  /** Memory set aside for a session while it runs, bytes; undefined: nothing is, the node is there for all. */
  provisioned?(session: PlannedSession): number;
  /** What the controller says it decided about calls, in its own record; asked for when all sessions are over. */
  decisions?(): Promise<EventRecord[]>;
  /** Version of a peer's package. */
  peer?: string;
  /** Ends the controller. Sessions are over, or about to be killed. */
  stop(): Promise<void>;
}

/** One way to control sessions: a file each in this folder. */
export interface Arm extends ArmInfo {
  /** The package it runs. */
  runs?: Peer;
  begin(context: ArmContext): Promise<RunningArm>;
}
