import type { Logger } from 'pino';
import { type Config, formatSize, type KernelHealth, type ProgramHealth, type Tier } from '../../../model/index.ts';
import { defaultPinRoot, type HeadroomEvent, isKept, missingPrivilege, unloadAll } from '../../kernel/index.ts';
import type { Call } from '../call.ts';
import type { Engine } from '../engine.ts';
import { holdAlone, type Lock } from '../lock.ts';
import { Charge } from './charge.ts';
import { type Hands, Heard } from './heard.ts';
import { Programs } from './programs.ts';
import { Protection } from './protection.ts';

/** How often the scheduler's state and the pins are looked at, milliseconds. */
const WATCH_MS = 250;
export interface TierOptions {
  engine: Engine;
  log: Logger;
  hands: Omit<Hands, 'headroom'>;
  /** Called when the tier in force has changed. */
  changed(tier: Tier): void;
}

/** What the configuration has to say about it. */
export type Choices = Pick<Config, 'tier' | 'scheduler' | 'memory'>;

/**
 * The BPF programs in the daemon's service: finds by doing what this kernel takes, has the policy's budgets kept by the governor,
 * hears the kernel's events, and sees to it that the node is controlled by cgroup files whenever the programs are not in charge.
 */
export class KernelTier {
  readonly #options: TierOptions;
  readonly #heard: Heard;
  #programs: Programs | undefined;
  readonly #protection = new Protection();
  #wanted: Choices | undefined;
  /** Why there are no programs at all. */
  #why = '';
  #alone: Lock | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #charge: Charge;
  /** Calls whose shims were answered before the scheduler took charge, and had started nothing when they were looked through. */
  #unstarted: Call[] = [];
  #tier: Tier = 'cgroup';
  #applying: Promise<void> = Promise.resolve();

  constructor(options: TierOptions) {
    this.#options = options;
    this.#charge = new Charge(options.log);
    this.#heard = new Heard(options.engine, { ...options.hands, headroom: (event) => this.#headroom(event) });
  }

  /** In force now. */
  get tier(): Tier {
    return this.#tier;
  }

  /** Does the kernel tell of growth? Then looking at calls all the time is of no use. */
  get samples(): boolean {
    return this.#programs?.samples ?? false;
  }

  /** Does the kernel tell of what an agent starts without the shim? */
  get outside(): boolean {
    return this.#programs?.monitor !== undefined;
  }

  /**
   * Loads or unloads what these choices ask for; asked twice with the same, it looks again for what was taken out meanwhile. What
   * does not load is said in the log and in `health`, and the rest goes on. Never rejects.
   */
  apply({ tier, scheduler, memory }: Choices): Promise<void> {
    return this.#inTurn(() => this.#apply({ tier, scheduler, memory }));
  }

  /** One change at a time. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    this.#applying = this.#applying
      .then(change)
      .catch((error) => this.#options.log.error({ err: error }, 'could not change the tier'));
    return this.#applying;
  }

  async #apply(choices: Choices): Promise<void> {
    const { tier, scheduler, memory } = choices;
    const same = this.#wanted?.scheduler === scheduler && this.#wanted.memory === memory;
    const serves = tier !== 'cgroup' && this.#programs && same;
    this.#wanted = choices;
    if (serves) return;
    await this.#unload('other programs are wanted');
    this.#why = 'the tier is set to cgroup';
    const missing = missingPrivilege();
    if (missing) this.#why = missing;
    else if (await this.#hold()) {
      if (tier === 'cgroup') await this.#cleanUp();
      else this.#load(choices);
    }
    this.#say();
    this.#assess();
  }

  /** One daemon of a machine has the programs: the ring has one reader, and there is one sched_ext scheduler. */
  async #hold(): Promise<boolean> {
    try {
      this.#alone ??= holdAlone('the BPF programs');
      return true;
    } catch {
      this.#why = 'another daemon of this machine has the BPF programs';
      return false;
    }
  }

  /** An earlier daemon may have left programs that would go on enforcing. Whoever wants the programs can have them then. */
  async #cleanUp(): Promise<void> {
    if (!isKept(defaultPinRoot)) {
      const { removed } = await unloadAll();
      if (removed.loaded.length > 0) this.#options.log.info('took out the BPF programs that an earlier daemon left');
    }
    this.#alone?.close();
    this.#alone = undefined;
  }

  #load({ scheduler, memory }: Choices): void {
    const { engine } = this.#options;
    this.#why = '';
    const programs = new Programs(engine.root.cgroup.path, scheduler, memory, (event) => this.#heard.take(event));
    if (!programs.any) {
      this.#why = programs.health.map(({ program, why }) => `${program}: ${why}`).join('; ');
      programs.close();
      return;
    }
    this.#programs = programs;
    this.#timer = setInterval(() => this.#watch(), WATCH_MS);
    this.#timer.unref();
  }

  #say(): void {
    const { log } = this.#options;
    const programs = this.#programs?.health ?? [];
    if (programs.length === 0) log.info({ why: this.#why }, 'no BPF programs: cgroup files alone');
    for (const { program, on, reopened, why, hooksOff } of programs) {
      if (!on) log.info({ program, why }, `${program}: not in the kernel`);
      else if (hooksOff.length > 0) log.warn({ program, hooksOff }, `${program}: without some of its hooks`);
      else log.info({ program, reopened }, `${program}: ${reopened ? 'found in the kernel' : 'loaded'}`);
    }
  }

  /** Sees what is in charge, and hands the budgets over when that has changed. */
  #assess(): void {
    const { engine, changed } = this.#options;
    const programs = this.#programs;
    const inCharge = this.#charge.read(programs?.scheduler);
    const enlists = inCharge && this.#wanted?.scheduler === 'partial';
    const fresh = enlists && !engine.schedExt;
    engine.schedExt = enlists;
    // who runs in the fair class cannot be held
    this.#unstarted = fresh ? engine.enlistRunning() : enlists ? this.#unstarted : [];
    const kept = (inCharge || programs?.memory) && engine.controllers.has('memory');
    const governor = kept ? programs?.governor : undefined;
    const tier = !governor ? 'cgroup' : programs?.memory ? 'memcg-bpf' : 'sched-ext';
    if (tier === this.#tier && (governor !== undefined) === engine.policy.growth.on) return;
    engine.policy.growth.use(
      governor,
      (cgroup) => programs?.monitor?.usage(cgroup)?.growthBytesPerSecond,
      programs?.memory ? 'memcg_charged' : 'governor',
    );
    engine.policy.retell();
    this.#tier = tier;
    changed(tier);
  }

  #watch(): void {
    const programs = this.#programs;
    if (!programs) return;
    try {
      if (!programs.pinned) {
        this.#options.log.warn('the BPF programs were taken out: going on with cgroup files');
        clearInterval(this.#timer);
        const why = 'taken out by `agentcgroup bpf unload`; read the configuration again to load them';
        this.#inTurn(() => this.#unload(why));
        return;
      }
      if (this.#unstarted.length > 0) this.#unstarted = this.#options.engine.enlistRunning(this.#unstarted);
      if (programs.scheduler && this.#charge.watch(programs.scheduler)) this.#assess();
      this.#protection.update(programs.memory, this.#options.engine);
    } catch (error) {
      this.#options.log.error({ err: error }, 'could not watch the BPF programs');
    }
  }

  /** Gives everything back to cgroup files, then takes the programs out. */
  async #unload(why: string): Promise<void> {
    const programs = this.#programs;
    if (!programs) return;
    clearInterval(this.#timer);
    this.#programs = undefined;
    this.#charge.drop();
    this.#why = why;
    this.#assess();
    await programs.unload();
  }

  #headroom({ usageBytes, limitBytes, tripped }: HeadroomEvent): void {
    const { engine, log } = this.#options;
    const left = Math.max(0, limitBytes - usageBytes);
    const low = engine.policy.growth.guardBudget?.low ?? 0;
    const text = tripped
      ? `guard: node headroom ${formatSize(left)}, below ${formatSize(low)}: the kernel stops the growth of low-priority calls`
      : `guard: node headroom ${formatSize(left)}: low-priority calls may grow again`;
    log.info({ usageBytes, limitBytes, tripped }, text);
    engine.policy.guardMoved(tripped, text);
  }

  /** Delivers the events that are in the ring now: before the record of what has ended is written. */
  drain(): void {
    this.#programs?.drain();
  }

  health(): KernelHealth {
    const programs = this.#programs;
    const off = (program: ProgramHealth['program']) => ({
      program,
      on: false,
      why: this.#why,
      hooksOff: [],
    });
    const guard = programs?.governor && this.#options.engine.policy.growth.guardBudget;
    const seen = guard && programs?.governor?.headroom();
    return {
      programs: programs?.health ?? [off('monitor'), off('scheduler'), off('governor')],
      scheduler: {
        mode: programs?.scheduler ? (this.#wanted?.scheduler ?? 'off') : 'off',
        ...this.#charge.health(),
      },
      lost: programs?.lost() ?? {},
      ...(guard &&
        seen && {
          guard: {
            headroomBytes: seen.headroomBytes,
            lowBytes: guard.low,
            trips: seen.trips,
            tripped: seen.trippedNs !== 0,
          },
        }),
    };
  }

  /** What is wrong with it, in words; nothing when the tier is what was asked for. */
  notes(): string[] {
    const notes: string[] = [];
    if (this.#wanted?.tier === 'sched-ext' && !this.#programs)
      notes.push(`tier sched-ext is not to be had: ${this.#why}`);
    for (const { program, on, why } of this.#wanted?.tier === 'sched-ext' ? (this.#programs?.health ?? []) : [])
      if (!on && this.#missed(program)) notes.push(`${program}: ${why}`);
    const memory = this.#programs?.health.find(({ program }) => program === 'memory');
    if (this.#wanted?.memory === 'memcg-bpf' && memory && !memory.on) {
      const keeper = this.#tier === 'sched-ext' ? 'the governor keeps' : 'cgroup files keep';
      notes.push(`memory memcg-bpf is not to be had: ${memory.why}; ${keeper} the budgets`);
    }
    const out = this.#charge.note();
    if (out !== undefined) notes.push(out);
    return notes;
  }

  /** Is it wrong that this program is off? `memory` is spoken of by itself, and who keeps the budgets is a choice. */
  #missed(program: ProgramHealth['program']): boolean {
    return program === 'governor' ? this.#wanted?.memory === 'governor' : program !== 'memory';
  }

  /** What the governor and the scheduler counted, for the metrics. */
  counts() {
    const { governor, scheduler } = this.#programs ?? {};
    return { governor: governor?.counts(), scheduler: scheduler?.counts() };
  }

  /**
   * Lets go. `leave`: sessions live on, and so does what keeps them; otherwise the programs go too, unless somebody has loaded them
   * to stay.
   */
  async close(leave: boolean): Promise<void> {
    await this.#applying;
    clearInterval(this.#timer);
    this.#heard.close();
    this.#options.engine.policy.growth.use(undefined);
    if (leave || this.#programs?.kept) this.#programs?.close();
    else await this.#programs?.unload();
    this.#programs = undefined;
    this.#alone?.close();
  }
}
