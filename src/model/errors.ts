/**
 * Every error a user can meet, in one table: stable code, what is wrong, what to do, HTTP status, exit status.
 * CLI, API, protocol and SDK all speak these codes. Exit statuses follow sysexits(3) where one fits.
 */
const table = {
  ACG_USAGE: { what: 'the command line is wrong', remedy: 'see --help', status: 400, exit: 64 },
  ACG_INTERNAL: {
    what: 'an error of agentcgroup itself',
    remedy: 'report it with the text above',
    status: 500,
    exit: 70,
  },
  ACG_NODE_TOO_OLD: { what: 'Node.js is too old', remedy: 'install Node.js 24 or newer', status: 500, exit: 69 },
  ACG_NOT_ROOT: { what: 'this needs root', remedy: 'run it as root', status: 403, exit: 77 },
  ACG_NATIVE_MISSING: {
    what: 'the native part is not built',
    remedy: 'run `npm run setup` in the checkout, or reinstall the package',
    status: 500,
    exit: 69,
  },
  ACG_SYSCALL: {
    what: 'a system call failed',
    remedy: 'see the error name above',
    status: 500,
    exit: 71,
  },
  ACG_FILE: {
    what: 'a file or folder cannot be used',
    remedy: 'name another place, make room, or mend the permissions',
    status: 500,
    exit: 74,
  },
  // control/cgroup
  ACG_NO_CGROUP2: {
    what: 'no usable cgroup v2 hierarchy',
    remedy: 'mount one: `mount -t cgroup2 cgroup2 /sys/fs/cgroup`, or name it with --cgroup-root',
    status: 503,
    exit: 69,
  },
  ACG_CGROUP_NAME: {
    what: 'not a valid cgroup name',
    remedy: 'use letters, digits, dot, dash and underscore, 64 characters at most, not starting with a dot',
    status: 400,
    exit: 64,
  },
  ACG_CGROUP_FILE: {
    what: 'a cgroup file refused the operation',
    remedy: 'see the error name above',
    status: 500,
    exit: 74,
  },
  ACG_CGROUP_PARSE: {
    what: 'a cgroup file has an unexpected form',
    remedy: 'report it with the text above',
    status: 500,
    exit: 70,
  },
  ACG_CGROUP_BUSY: {
    what: 'controllers cannot be enabled in a cgroup that holds processes',
    remedy:
      'move them into a child cgroup, in a container by starting with an init that does, or name another --cgroup-root',
    status: 503,
    exit: 69,
  },
  ACG_CGROUP_DELEGATION: {
    what: 'systemd did not hand over a cgroup',
    remedy: 'run agentcgroupd as a service with Delegate=yes, or name a --cgroup-root',
    status: 503,
    exit: 69,
  },
  // control/intercept and control/daemon
  ACG_PROTOCOL: {
    what: 'the peer broke the protocol',
    remedy: 'use a client of the same release',
    status: 400,
    exit: 76,
  },
  ACG_PROTOCOL_VERSION: {
    what: 'the peer speaks another protocol version',
    remedy: 'use a client of the same release',
    status: 400,
    exit: 76,
  },
  ACG_FOREIGN_SESSION: {
    what: 'the process is not in an agent session of this daemon',
    remedy: 'start the agent with `agentcgroup run`',
    status: 403,
    exit: 77,
  },
  ACG_NO_SESSION: { what: 'no such session', remedy: 'list them with `agentcgroup sessions`', status: 404, exit: 66 },
  ACG_NO_CALL: { what: 'no such tool call', remedy: 'list them with `agentcgroup calls`', status: 404, exit: 66 },
  ACG_SESSION_EXISTS: {
    what: 'a session of this name is running',
    remedy: 'choose another --name',
    status: 409,
    exit: 73,
  },
  ACG_NO_DAEMON: { what: 'no daemon answers', remedy: 'start one with `agentcgroup daemon`', status: 503, exit: 69 },
  ACG_DAEMON_RUNNING: {
    what: 'a daemon is already running here',
    remedy: 'use it, or choose another --run-dir',
    status: 409,
    exit: 73,
  },
  ACG_BAD_REQUEST: { what: 'the request is not valid', remedy: 'see the fields named above', status: 400, exit: 64 },
  ACG_LIMIT: {
    what: 'a limit of the daemon is reached',
    remedy: 'wait for running calls or sessions to end',
    status: 429,
    exit: 75,
  },
  ACG_SETTINGS: {
    what: "an agent's settings cannot be changed",
    remedy: 'mend the file, or write the hooks yourself: see `agentcgroup install --print`',
    status: 400,
    exit: 65,
  },
  ACG_SETTINGS_EDITED: {
    what: 'the file was edited after `agentcgroup install`',
    remedy: 'undo the edit, or take only our part out with --force',
    status: 409,
    exit: 65,
  },
  // configuration, hints, traces
  ACG_CONFIG: {
    what: 'the configuration is not valid',
    remedy: 'correct what is named',
    status: 400,
    exit: 78,
  },
  ACG_SIZE: {
    what: 'not a size',
    remedy: 'write bytes or a number with k, m, g or t, as in 512m or 2G',
    status: 400,
    exit: 64,
  },
  ACG_TRACE: {
    what: 'the trace is not valid',
    remedy: 'name a trace or session file; `agentcgroup trace validate FILE` names bad lines',
    status: 400,
    exit: 65,
  },
  ACG_TRACE_WRITE: {
    what: 'the trace cannot be written',
    remedy: 'make room or choose another place',
    status: 507,
    exit: 74,
  },
  ACG_TRACE_EMPTY: {
    what: 'no usable session in the input',
    remedy: 'name a trace file or a data set folder',
    status: 400,
    exit: 65,
  },
  // study/evaluate
  ACG_SCENARIO: {
    what: 'not a scenario that can be run',
    remedy: 'correct what is named; scenarios/ has examples',
    status: 400,
    exit: 65,
  },
  ACG_EVALUATE: {
    what: 'an experiment cannot be run',
    remedy: 'see above; `agentcgroup evaluate --help`',
    status: 500,
    exit: 70,
  },
  ACG_EVALUATE_RUNNING: {
    what: 'an experiment is being made in this folder already',
    remedy: 'wait until it is over, or choose another --out',
    status: 409,
    exit: 73,
  },
  ACG_DATASET: {
    what: 'the public data set is not to be had',
    remedy: '`agentcgroup dataset fetch` gets it; without a network, copy it and name it with --dataset',
    status: 503,
    exit: 69,
  },
  // control/record
  ACG_RECORD_TARGET: {
    what: 'there is nothing of that name to record',
    remedy: 'name a running session, cgroup, container or process',
    status: 404,
    exit: 66,
  },
  // lab
  ACG_LAB_PACKAGE: {
    what: 'an OS package that the lab needs is missing',
    remedy: 'run `npm run setup`',
    status: 503,
    exit: 69,
  },
  ACG_LAB_KERNEL: {
    what: 'no kernel for the lab',
    remedy: 'run `npm run setup`; it needs the Debian mirror once',
    status: 503,
    exit: 69,
  },
  ACG_LAB_BOOT: {
    what: 'the lab guest did not come up',
    remedy: 'see the console log named above',
    status: 503,
    exit: 70,
  },
  ACG_LAB_DIED: {
    what: 'the lab guest died while the command ran',
    remedy: 'its console tells why: run the command again with --console',
    status: 503,
    exit: 70,
  },
  ACG_LAB_TIMEOUT: {
    what: 'the lab command ran out of time',
    remedy: 'give it more with --timeout',
    status: 504,
    exit: 124,
  },
  // control/kernel
  ACG_BPF_UNSUPPORTED: {
    what: 'this kernel lacks what the program needs',
    remedy: '`agentcgroup doctor` says what is missing',
    status: 503,
    exit: 69,
  },
  ACG_BPF_LOAD: {
    what: 'the kernel refused a BPF program',
    remedy: "see the verifier's words above",
    status: 500,
    exit: 70,
  },
  ACG_BPF_LAYOUT: {
    what: 'a BPF object is not of this release',
    remedy: 'run `npm run build:bpf` in the checkout, or reinstall the package',
    status: 500,
    exit: 70,
  },
  ACG_BPF_PIN: {
    what: 'a pinned BPF object cannot be used',
    remedy: 'name a folder in one with --pin-root; `agentcgroup bpf unload` removes what is pinned',
    status: 500,
    exit: 69,
  },
  ACG_BPF_MAP: { what: 'a BPF map refused the operation', remedy: 'see the error name above', status: 500, exit: 74 },
} as const satisfies Record<string, { what: string; remedy: string; status: number; exit: number }>;

export type ErrorCode = keyof typeof table;
export const errorTable: Readonly<Record<ErrorCode, { what: string; remedy: string; status: number; exit: number }>> =
  table;

/** An error with a stable code. `message` is one line: what is wrong, the detail, what to do. */
export class AcgError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;

  constructor(code: ErrorCode, detail = '', options?: { cause?: unknown }) {
    const { what, remedy } = table[code];
    super(`${what}${detail && `: ${detail}`} (${remedy})`, options);
    this.name = 'AcgError';
    this.code = code;
    this.detail = detail;
  }

  /** HTTP status for the API. */
  get status(): number {
    return table[this.code].status;
  }

  /** Exit status for the CLI. */
  get exit(): number {
    return table[this.code].exit;
  }

  toJSON(): { code: ErrorCode; detail: string; message: string } {
    return { code: this.code, detail: this.detail, message: this.message };
  }
}

/** What the system says of files that somebody named, or of the disk: to be mended there, nothing to report to us. */
const FILE_ERRORS = new Set(
  'EACCES EDQUOT EEXIST EFBIG EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOSPC ENOTDIR ENOTEMPTY EPERM EROFS'.split(' '),
);

/** Any thrown value as an AcgError with its cause kept: ACG_FILE if the system refused a file, else ACG_INTERNAL. */
export function asAcgError(error: unknown): AcgError {
  if (error instanceof AcgError) return error;
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  // Node.js' own words name the call and, where there is one, the path
  if (error instanceof Error && typeof syscall === 'string' && FILE_ERRORS.has(String(code)))
    return new AcgError('ACG_FILE', error.message, { cause: error });
  return new AcgError('ACG_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
