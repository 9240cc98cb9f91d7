/** The cgroups being sampled: the recorded one and all below it, found as they come and dropped as they go. */
import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { CallRecord, SampleRecord } from '../../model/index.ts';
import { Cgroup } from '../cgroup/index.ts';
import { CgroupReader, type Usage } from './cgroup-reader.ts';
import { below, type Directories, mainDirectory } from './hierarchy.ts';
import { ProcessSet, timesOf, usageOf } from './processes.ts';
import { noteOf, processesBelow } from './target.ts';

/** A cgroup in which nothing changes is written this often: a little under a second, as rounds stand on a grid. */
const REPEAT_MS = 950;

/** One sampled cgroup. */
export interface Place {
  /** Relative to the recorded cgroup; '' is that itself. */
  path: string;
  identity: Pick<SampleRecord, 'scope' | 'call' | 'cgroup'>;
  reader: CgroupReader;
  /** Its processes, where no controller accounts its memory or CPU time. */
  processes?: ProcessSet;
  cpuUsec: number;
  /** What was written of it last, to leave out repetitions. */
  written?: { at: number; usage: Usage };
  /** For a tool call of ours. */
  call?: CallRecord;
}

export class Places {
  readonly found = new Map<string, Place>();
  private readonly root: Directories;
  private readonly main: string;
  private readonly ofSession: boolean;
  private readonly identity: Pick<CallRecord, 'session' | 'tenant'>;
  private readonly onCall: (record: CallRecord) => void;
  private readonly watches = new Map<string, FSWatcher>();
  private stale = true;

  /** `ofSession`: the leaves are `agent` and `tool-<n>`; each `tool-<n>` is a call, told to `onCall` when it is gone. */
  constructor(
    root: Directories,
    ofSession: boolean,
    identity: Pick<CallRecord, 'session' | 'tenant'>,
    onCall: (record: CallRecord) => void,
  ) {
    this.root = root;
    this.main = mainDirectory(root) ?? '';
    this.ofSession = ofSession;
    this.identity = identity;
    this.onCall = onCall;
  }

  /** Looks for new cgroups if the kernel has announced any, or when told to. */
  look(t: number, always = false): void {
    if (!this.stale && !always) return;
    this.stale = false;
    const visit = (path: string) => {
      const directory = join(this.main, path);
      let names: string[];
      try {
        // watched before it is listed, so that nothing made in between is missed
        this.watch(path, directory);
        names = readdirSync(directory, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []));
      } catch (error) {
        if (/^(?:ENOENT|ENODEV)$/.test((error as NodeJS.ErrnoException).code ?? '')) return; // removed meanwhile
        throw error;
      }
      if (!this.found.has(path)) this.add(path, t);
      for (const name of names) visit(path === '' ? name : `${path}/${name}`);
    };
    visit('');
  }

  /** Its figures now; undefined when it is gone, in which case it is dropped. */
  read(place: Place, now: number, t: number): (Usage & { memoryBytes: number }) | undefined {
    const usage = place.reader.read(now);
    if (!usage) {
      this.drop(place, t);
      return undefined;
    }
    if (place.processes) {
      place.processes.refresh();
      const members = [...place.processes.members.values()];
      const counted = place.reader.hasMemory ? timesOf(members) : usageOf(members, now);
      // processes that have ended take their CPU time with them: what was seen stays
      place.cpuUsec = Math.max(place.cpuUsec, usage.cpuUsec ?? counted.cpuUsec);
      Object.assign(usage, { ...counted, ...usage, cpuUsec: place.cpuUsec });
    }
    if (usage.memoryBytes === undefined) return undefined;
    const { call } = place;
    if (call) {
      call.peakBytes = Math.max(call.peakBytes ?? 0, usage.memoryBytes, place.reader.highestBytes ?? 0);
      call.maxPids = Math.max(call.maxPids ?? 0, usage.pids ?? 0);
      if (usage.ioReadBytes !== undefined) call.ioReadBytes = usage.ioReadBytes;
      if (usage.ioWriteBytes !== undefined) call.ioWriteBytes = usage.ioWriteBytes;
    }
    return usage as Usage & { memoryBytes: number };
  }

  /**
   * Is this worth a record? The whole session always is; a cgroup below it when its memory, CPU time or processes have
   * changed since the last record, or that is a second old.
   */
  worthWriting(place: Place, usage: Usage, now: number): boolean {
    const last = place.written;
    const same =
      last !== undefined &&
      now - last.at < REPEAT_MS &&
      last.usage.memoryBytes === usage.memoryBytes &&
      last.usage.cpuUsec === usage.cpuUsec &&
      last.usage.pids === usage.pids;
    if (same && place.path !== '') return false;
    place.written = { at: now, usage };
    return true;
  }

  close(): void {
    for (const place of this.found.values()) {
      if (place.call) this.onCall(place.call);
      place.reader.close();
      place.processes?.close();
    }
    this.found.clear();
    for (const w of this.watches.values()) w.close();
    this.watches.clear();
  }

  private add(path: string, t: number): void {
    const reader = new CgroupReader(path === '' ? this.root : below(this.root, path));
    const directory = join(this.main, path);
    const place: Place = { path, identity: this.nameOf(path), reader, cpuUsec: 0 };
    if (!reader.hasMemory || !reader.hasCpu) place.processes = new ProcessSet(() => processesBelow(directory), false);
    const call = this.ofSession ? this.callAt(path, t) : undefined;
    if (call) {
      place.call = call;
      place.identity = { scope: 'call', call: call.call };
    }
    this.found.set(path, place);
  }

  private nameOf(path: string): Place['identity'] {
    if (path === '') return { scope: 'session' };
    if (this.ofSession && path === 'agent') return { scope: 'agent' };
    return { scope: 'cgroup', cgroup: path };
  }

  /** A `tool-<n>` as a call, with what the daemon has noted on it. */
  private callAt(path: string, t: number): CallRecord | undefined {
    if (!/^tool-\d+$/.test(path)) return undefined;
    const note = noteOf(new Cgroup(join(this.main, path)), 'call');
    const text = (key: string) => (typeof note[key] === 'string' ? { [key]: note[key] } : {});
    return {
      type: 'call',
      call: path,
      tool: 'Bash',
      ...text('call'),
      ...text('tool'),
      ...text('command'),
      ...text('cwd'),
      ...text('agentCallId'),
      ...text('agentSessionId'),
      ...this.identity,
      via:
        note.via === 'adopted' || note.via === 'sdk' || note.via === 'mcp' || note.via === 'hook' ? note.via : 'shim',
      start: typeof note.start === 'number' ? note.start : t,
    };
  }

  private drop(place: Place, t: number): void {
    this.found.delete(place.path);
    place.reader.close();
    place.processes?.close();
    this.watches.get(place.path)?.close();
    this.watches.delete(place.path);
    if (!place.call) return;
    place.call.end = t;
    place.call.durationMs = Math.max(0, t - place.call.start);
    this.onCall(place.call);
  }

  private watch(path: string, directory: string): void {
    if (this.watches.has(path)) return;
    let w: FSWatcher;
    try {
      w = watch(directory, () => {
        this.stale = true;
      });
    } catch (error) {
      // no more watches on this machine (fs.inotify.max_user_watches): the look once a second must do
      if (/^(?:ENOSPC|EMFILE)$/.test((error as NodeJS.ErrnoException).code ?? '')) return;
      throw error;
    }
    w.on('error', () => {
      this.watches.delete(path);
      w.close();
    });
    this.watches.set(path, w);
  }
}
