import { readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { nativeProgram } from '../native/index.ts';
import type { Engine } from './engine.ts';
import { readStat } from './processes.ts';
import type { Session } from './session.ts';

const INTERVAL_MS = 250;
/** Where the kernel tells of what starts, each so many rounds is looked all the same: it may have been too much to tell. */
const TOLD_ROUNDS = 8;
/** Unless configured, and where nobody tells us: what is shorter is not worth a call, and would be missed half of the time. */
const ADOPT_AFTER_MS = 1000;
/** What an agent starts in this time, or before its first call, is its own. */
const START_UP_MS = 10_000;
/** The shim inside a session that has a mount namespace. */
const SHIM_COPY = 'run/agentcgroup/shim/agentcgroup-shell';

interface Known {
  startTicks: number;
  exe: string;
}
interface Suspect extends Known {
  since: number;
}

/** What is known of one session's agent leaf. */
interface Leaf {
  /** The agent's own processes. */
  own: Map<number, Known>;
  suspects: Map<number, Suspect>;
}

/**
 * Finds process trees that an agent started without a shell, and has them adopted (`intercept.adopt: children`). The rule: what
 * runs in the agent leaf when the agent has started up (its first call, or 10 s) is the agent; so is a child of the agent that
 * runs a program which the agent ran then (its workers), a program named in `intercept.helpers`, and every shim. A child of the
 * agent that runs anything else for longer than `intercept.adoptAfter` is a tool call, with all that descends from it. Whoever
 * has lost its parent is left alone: whose it was cannot be told.
 */
export class Strays {
  readonly #engine: Engine;
  readonly #report: (error: unknown, doing: string) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #leaves = new WeakMap<Session, Leaf>();
  readonly #told: () => boolean;
  #round = 0;
  readonly #later = new Set<NodeJS.Timeout>();

  /** `told`: does the kernel tell at once when an agent starts something (see `look`)? */
  constructor(engine: Engine, report: (error: unknown, doing: string) => void, told: () => boolean = () => false) {
    this.#engine = engine;
    this.#report = report;
    this.#told = told;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const timer of this.#later) clearTimeout(timer);
  }

  /** The agent of this session has started something at `t`: looks now, and again when it is old enough to be adopted. */
  look(session: Session, pid: number, t: number): void {
    this.#lookSafely(session, { pid, t });
    const age = this.#adoptAfter;
    if (age === 0 || age >= INTERVAL_MS) return;
    const timer = setTimeout(() => {
      this.#later.delete(timer);
      this.#lookSafely(session);
    }, age);
    this.#later.add(timer);
  }

  #look(): void {
    const told = this.#told() && this.#adoptAfter < INTERVAL_MS && this.#round++ % TOLD_ROUNDS !== 0;
    // a new session is looked at soon, before it starts anything: what is there is its agent
    for (const session of this.#engine.sessions.values())
      if (!told || !this.#leaves.has(session)) this.#lookSafely(session);
  }

  #lookSafely(session: Session, started?: { pid: number; t: number }): void {
    if (this.#engine.policy.config.intercept.adopt === 'off' || session.state !== 'running') return;
    try {
      this.#lookAt(session, started);
    } catch (error) {
      this.#report(error, `look for processes without a call in session ${session.id}`);
    }
  }

  /** How long what an agent starts must live to be adopted, milliseconds. */
  get #adoptAfter(): number {
    return this.#engine.policy.config.intercept.adoptAfter ?? (this.#told() ? 0 : ADOPT_AFTER_MS);
  }

  #lookAt(session: Session, started?: { pid: number; t: number }, now = Date.now()): void {
    const leaf = this.#leaves.get(session) ?? { own: new Map(), suspects: new Map() };
    // a daemon that finds a running session cannot tell: what is there is the agent's
    const startingUp = !this.#leaves.has(session) || (session.lastCall === 0 && now - session.kept.start < START_UP_MS);
    this.#leaves.set(session, leaf);
    const { own, suspects } = leaf;
    const there = new Set(session.agent.procs());
    for (const known of [own, suspects]) for (const pid of known.keys()) if (!there.has(pid)) known.delete(pid);
    const programs = new Set([...own.values()].map(({ exe }) => exe));
    for (const pid of there) {
      const process = describe(pid);
      if (!process) continue;
      const { parent, startTicks, exe, name } = process;
      const known = own.get(pid);
      if (known?.startTicks === startTicks && known.exe === exe) continue;
      if (startingUp || programs.has(exe) || this.#isHelper(name)) {
        own.set(pid, { startTicks, exe });
        suspects.delete(pid);
        continue;
      }
      own.delete(pid);
      if (!own.has(parent) || isShim(pid, exe) || isHolder(session, pid)) continue;
      const before = suspects.get(pid);
      const suspect =
        before?.startTicks === startTicks && before.exe === exe
          ? before
          : { startTicks, exe, since: started?.pid === pid ? started.t : now };
      suspects.set(pid, suspect);
      if (now - suspect.since < this.#adoptAfter) continue;
      suspects.delete(pid);
      this.#engine.adopt(pid, suspect.since);
    }
  }

  #isHelper(name: string): boolean {
    return this.#engine.policy.config.intercept.helpers.includes(name);
  }
}

/** A process with the program it runs; undefined when it is gone. */
function describe(pid: number) {
  const stat = readStat(pid);
  const exe = fileId(`/proc/${pid}/exe`);
  if (!stat || exe === undefined) return undefined;
  try {
    return { ...stat, exe, name: basename(readlinkSync(`/proc/${pid}/exe`)) };
  } catch {
    return undefined;
  }
}

function fileId(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** By the file it is, as the process itself sees it: under the mounts of a session every shell has the shim's name. */
function isShim(pid: number, exe: string): boolean {
  return exe === fileId(`/proc/${pid}/root/${SHIM_COPY}`) || exe === fileId(nativeProgram('agentcgroup-shell'));
}

/** It waits for a call that it has opened itself: a shim, or the SDK. */
function isHolder(session: Session, pid: number): boolean {
  for (const call of session.calls.values()) if (call.kept.shim?.pid === pid) return true;
  return false;
}
