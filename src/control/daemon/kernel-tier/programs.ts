import { asAcgError, type MemoryChoice, type ProgramHealth, type SchedulerChoice } from '../../../model/index.ts';
import {
  defaultPinRoot,
  type EventStream,
  Governor,
  hasMemcgOps,
  isKept,
  type KernelEvent,
  type LoadedProgram,
  Memory,
  Monitor,
  Scheduler,
  unloadAll,
} from '../../kernel/index.ts';
import { nativeProgram } from '../../native/index.ts';
import { wanted } from './heard.ts';

/** The hook without which nothing is held. */
const CHARGE = 'acg_charge';
/** The hook that samples and growth come from. */
const SAMPLES = 'charge';

/** The BPF programs as this daemon has them: each is optional, and says why it is not there. */
export class Programs {
  readonly monitor: Monitor | undefined;
  readonly scheduler: Scheduler | undefined;
  /** On a kernel with memcg_bpf_ops, when it is wanted: then it keeps the budgets. */
  readonly memory: Memory | undefined;
  /** The budgets: those of `memory`, or of the governor inside the scheduler, in force while that one is in charge. */
  readonly governor: Governor | undefined;
  readonly health: ProgramHealth[] = [];
  readonly #events: EventStream | undefined;

  /** Loads what loads, or finds it pinned. `root`: the directory of our tree. `take` hears of what happens in it. */
  constructor(root: string, mode: SchedulerChoice, choice: MemoryChoice, take: (event: KernelEvent) => void) {
    this.monitor = this.#load('monitor', () => {
      const monitor = new Monitor();
      monitor.watch(root);
      monitor.exempt(nativeProgram('agentcgroup-shell'));
      return [monitor, monitor.program];
    });
    this.#events = this.monitor?.events(take, wanted).unref();
    const off = 'switched off (scheduler: off)';
    this.scheduler =
      mode === 'off'
        ? this.#without('scheduler', off)
        : this.#load('scheduler', () => {
            const scheduler = new Scheduler(mode);
            return [scheduler, scheduler.program];
          });
    if (choice === 'memcg-bpf')
      this.memory = this.#load('memory', () => {
        const memory = new Memory({ cgroup: root });
        return [memory, memory.program];
      });
    else if (this.any && hasMemcgOps()) this.#without('memory', `not asked for (memory: ${choice})`);
    const charge = this.scheduler?.program.hooks.find((hook) => hook.name === CHARGE);
    const why =
      choice === 'off'
        ? 'switched off (memory: off)'
        : this.memory
          ? 'memcg_bpf_ops keeps the budgets (memory: memcg-bpf)'
          : !this.scheduler
            ? 'it runs inside the scheduler'
            : charge?.on
              ? undefined
              : `no charge hook: ${charge?.why}`;
    this.governor = this.memory ? new Governor(this.memory) : undefined;
    if (why === undefined && this.scheduler) {
      this.governor = new Governor(this.scheduler);
      this.health.push({ program: 'governor', on: true, hooksOff: [] });
    } else this.#without('governor', why ?? '');
  }

  /** Does the kernel tell of growth, so that nobody has to look all the time? */
  get samples(): boolean {
    return this.monitor?.program.on(SAMPLES) ?? false;
  }

  /** Whether what was loaded is still pinned: `agentcgroup bpf unload` takes the pins away. */
  get pinned(): boolean {
    return [this.monitor, this.scheduler, this.memory].every((loaded) => loaded?.program.pinned ?? true);
  }

  get any(): boolean {
    return [this.monitor, this.scheduler, this.memory].some((loaded) => loaded !== undefined);
  }

  /** Delivers the events that are in the ring now. */
  drain(): void {
    this.#events?.drain();
  }

  lost(): Record<string, number> {
    return this.#events?.lost() ?? {};
  }

  /** Lets go; what is pinned goes on in the kernel. */
  close(): void {
    this.#events?.[Symbol.dispose]();
    this.memory?.[Symbol.dispose]();
    this.scheduler?.[Symbol.dispose]();
    this.monitor?.[Symbol.dispose]();
  }

  /** Somebody has loaded them to stay (`agentcgroup bpf load`). */
  get kept(): boolean {
    return isKept(defaultPinRoot);
  }

  /** Takes all of it out of the kernel. */
  async unload(): Promise<void> {
    this.close();
    await unloadAll();
  }

  #load<T>(program: ProgramHealth['program'], load: () => [T, LoadedProgram]): T | undefined {
    try {
      const [loaded, { reopened, hooks }] = load();
      const hooksOff = hooks
        .filter((hook) => !hook.on && hook.place !== 'struct_ops')
        .map(({ name, why }) => `${name}: ${why}`);
      this.health.push({ program, on: true, reopened, hooksOff });
      return loaded;
    } catch (error) {
      const { detail, message } = asAcgError(error);
      return this.#without(program, detail || message);
    }
  }

  #without(program: ProgramHealth['program'], why: string): undefined {
    this.health.push({ program, on: false, why, hooksOff: [] });
    return undefined;
  }
}
