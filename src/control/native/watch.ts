import { closeSync } from 'node:fs';
import { addon, calling } from './addon.ts';
import { signalName } from './signals.ts';

/** How one of our own children ended. Exactly one of `code` and `signal` is not null. */
export interface ExitStatus {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** CPU time of the child and of what it reaped, microseconds. */
  userUsec: number;
  systemUsec: number;
  /** Largest resident set of the child or of one it reaped, KiB. */
  maxRssKib: number;
}

/** A watch. While it is open it keeps the event loop alive, unless `unref` is called. Closing twice is allowed. */
export interface Watch {
  close(): void;
  ref(): void;
  unref(): void;
  [Symbol.dispose](): void;
}

interface Entry {
  referenced: boolean;
  fired(): void;
}

const open = new Map<number, Entry>();
let lastId = 0;
let started = false;

/** The event loop stays alive while a referenced watch is open. */
function updateHold(): void {
  addon().watchHold([...open.values()].some((entry) => entry.referenced));
}

function start(): void {
  if (started) return;
  calling('watch', (native) => native.watchStart((id) => open.get(id)?.fired()));
  started = true;
}

/** Watches a duplicate of `fd`, so that the caller may close its own at any time. */
function watch(fd: number, priority: boolean, fired: (fd: number, again: () => void, watch: Watch) => void): Watch {
  start();
  const id = ++lastId;
  const own = calling(`descriptor ${fd}`, (native) => native.duplicate(fd));
  const setReferenced = (referenced: boolean) => {
    entry.referenced = referenced;
    updateHold();
  };
  const handle: Watch = {
    close() {
      if (!open.delete(id)) return;
      calling('watch', (native) => native.watchDrop(own));
      updateHold();
    },
    ref: () => setReferenced(true),
    unref: () => setReferenced(false),
    [Symbol.dispose]: () => handle.close(),
  };
  const again = () => {
    if (open.has(id)) calling('watch', (native) => native.watchArm(own, id, priority, true));
  };
  const entry: Entry = { referenced: true, fired: () => fired(own, again, handle) };
  try {
    calling(`descriptor ${fd}`, (native) => native.watchArm(own, id, priority, false));
  } catch (error) {
    closeSync(own);
    throw error;
  }
  open.set(id, entry);
  updateHold();
  return handle;
}

function reap(pidfd: number): ExitStatus | null | undefined {
  const ended = calling('reap', (native) => native.reap(pidfd));
  if (!ended) return ended;
  const [code, signal, userUsec, systemUsec, maxRssKib] = ended;
  return {
    code: signal === 0 ? code : null,
    signal: signal === 0 ? null : signalName(signal),
    userUsec,
    systemUsec,
    maxRssKib,
  };
}

/**
 * Calls back once when the process ends. One of our own children is reaped by it and its status given; of any other
 * process the end is all the kernel tells, and `status` is null. No timers: the pidfd becomes readable.
 */
export function watchExit(
  process: { pidfd: number } | { pid: number },
  ended: (status: ExitStatus | null) => void,
): Watch {
  if ('pid' in process) {
    const pidfd = calling(`process ${process.pid}`, (native) => native.pidfdOpen(process.pid));
    try {
      return watchExit({ pidfd }, ended);
    } finally {
      closeSync(pidfd);
    }
  }
  return watch(process.pidfd, false, (fd, again, handle) => {
    const status = reap(fd);
    if (status === null) return again();
    handle.close();
    ended(status ?? null);
  });
}

/**
 * Calls back at every priority event of a descriptor: a kernfs file that notifies (cgroup.events, memory.events, ...) or
 * one that a PSI trigger was written to. `changed` must read a kernfs file through the same descriptor from position 0
 * (`readSync(fd, buffer, 0, n, 0)`), else the kernel repeats the event at once; events in between are merged.
 * When the cgroup is removed it fires once more and reading fails with ENODEV: close the watch then.
 */
export function watchPri(fd: number, changed: () => void): Watch {
  return watch(fd, true, (_, again) => {
    changed();
    again();
  });
}
