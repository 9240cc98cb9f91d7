import { statSync } from 'node:fs';
import type { Priority } from '../../model/index.ts';
import { id, u32 } from './layout.ts';
import { loadProgram } from './load.ts';
import { MapView, SettingsView } from './maps.ts';
import { requireMemcgOps } from './memory.ts';
import type { LoadedProgram } from './program.ts';
import type { ProgramSpec } from './spec.ts';
import { AcgPaper, priorities } from './wire.ts';

const paperSpec: ProgramSpec = { name: 'paper', structs: [AcgPaper], essential: ['acg_paper_faults'] };

const table = 'acg_paper_memory';

export interface PaperSettings {
  /** How long a charge of a low-priority session is delayed under pressure, milliseconds; 50 in the paper. */
  delayMs?: number;
  /** Page faults of high-priority sessions in a second above which they show pressure; 10,000 in the paper's runs. */
  faults?: number;
}

/**
 * The policy of the AgentCgroup paper (bpf/paper.bpf.c), to be compared with, on a kernel with memcg_bpf_ops. It holds for
 * everything below one cgroup until it is disposed of, or this process ends:
 *
 *     using paper = new PaperPolicy('/sys/fs/cgroup/node');
 *     paper.session('/sys/fs/cgroup/node/high', 'high');   // sessions are leaves: what is charged to them directly counts
 *     paper.session('/sys/fs/cgroup/node/low1', 'low');    // the paper gives these memory.high = 400 MB besides
 */
export class PaperPolicy implements Disposable {
  readonly #program: LoadedProgram;
  readonly #roles: MapView<number, number>;
  readonly #seen: SettingsView<AcgPaper>;

  /** `node`: path of the cgroup that has the sessions below it. Throws as `new Memory` does. */
  constructor(node: string, { delayMs = 50, faults = 10_000 }: PaperSettings = {}) {
    requireMemcgOps();
    const constants = { acg_delay_ms: delayMs, acg_faults: faults };
    this.#program = loadProgram(paperSpec, { pinRoot: false, later: [table], constants });
    try {
      this.#program.attach(table, { cgroup: node });
      const map = this.#program.map('acg_paper_roles');
      this.#roles = new MapView({ name: 'acg_paper_roles', map, key: id, value: u32 });
      this.#seen = new SettingsView('acg_paper', this.#program.map('acg_paper'), AcgPaper);
    } catch (error) {
      this.#program.unload();
      throw error;
    }
  }

  /** Says what the session in that cgroup is. Sessions of normal priority, and those not named, are left alone. */
  session(cgroup: string, priority: Priority): void {
    this.#roles.set(statSync(cgroup).ino, priorities.indexOf(priority));
  }

  /** What it has seen and done so far. */
  seen(): Pick<AcgPaper, 'shown' | 'delays' | 'spared'> {
    const { shown, delays, spared } = this.#seen.get();
    return { shown, delays, spared };
  }

  [Symbol.dispose](): void {
    this.#program.unload();
  }
}
