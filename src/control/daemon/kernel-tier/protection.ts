import type { Memory, MemoryNeed } from '../../kernel/index.ts';
import type { Engine } from '../engine.ts';
import type { Session } from '../session.ts';

/** Without a budget a session is protected whatever it uses: reclaim passes over what is in use, and takes it when it must. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/**
 * Tells the kernel which sessions run calls: what those use is passed over by reclaim (bpf/memory.bpf.c). An entry ends with
 * its cgroup.
 */
export class Protection {
  readonly #told = new WeakMap<Session, string>();
  #memory: Memory | undefined;

  /** Brings the kernel up to date; cheap when nothing has changed. */
  update(memory: Memory | undefined, engine: Engine): void {
    const { sessions, policy } = engine;
    const fresh = memory !== this.#memory;
    this.#memory = memory;
    if (!memory) return;
    for (const session of sessions.values()) {
      if (session.state !== 'running') continue;
      const need: MemoryNeed = {
        most: session.kept.limits.memoryBytes ?? policy.config.session.budget ?? UNBOUNDED,
        running: session.calls.size,
        priority: engine.lifecycle.priorityOf(session),
      };
      const words = JSON.stringify(need);
      if (!fresh && this.#told.get(session) === words) continue;
      memory.need(Number(session.cgroup.id), need);
      this.#told.set(session, words);
    }
  }
}
