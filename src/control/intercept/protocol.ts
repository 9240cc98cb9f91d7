/**
 * The protocol between the shim and the daemon, version 1: what the messages are. `encode.ts` and `decode.ts` turn them
 * into frames and back; native/shim/protocol.h is the other side of it, and a test holds the two together.
 *
 * A frame is a header of 12 bytes, little endian (u32 magic "ACG1", u16 version, u16 type, u32 length of the payload), and
 * a payload of fields (u16 tag, u16 zero, u32 length, bytes). Unknown tags are skipped, so that fields can be added.
 */
export const MAGIC = 0x31474341;
export const VERSION = 1;
export const HEADER_BYTES = 12;
export const FIELD_HEADER_BYTES = 8;
/** The largest payload anyone may send. */
export const MAX_PAYLOAD = 256 * 1024;
/** The shim cuts a call's arguments to this many bytes and to this many arguments; `argBytes` tells the whole. */
export const MAX_ARG_BYTES = 64 * 1024;
export const MAX_ARGS = 1024;
/** Longest text a daemon may send to be shown. */
export const MAX_TEXT = 64 * 1024;

export const messageType = {
  open: 1,
  started: 2,
  ended: 3,
  resume: 4,
  opened: 129,
  closed: 130,
  resumed: 131,
  queued: 132,
  error: 255,
} as const;

export const tag = {
  SHELL: 1,
  ARG: 2,
  ARG_BYTES: 3,
  CWD: 4,
  ENV: 5,
  FLAGS: 6,
  PID: 7,
  STATUS: 8,
  USER_USEC: 9,
  SYSTEM_USEC: 10,
  MAX_RSS_KIB: 11,
  CALL: 12,
  VERDICT: 13,
  OOM_SCORE_ADJ: 14,
  POLICY: 15,
  TEXT: 16,
  CODE: 17,
} as const;

/** The environment variables an OPEN may carry; the shim sends no others. */
export const sharedVariables = [
  'AGENT_RESOURCE_HINT',
  'AGENTCGROUP_FEEDBACK',
  'CLAUDE_CODE_SESSION_ID',
  'CODEX_SESSION_ID',
  'CODEX_TOOL_CALL_ID',
  'PI_SESSION_ID',
  'OPENCODE_PID',
  'GEMINI_CLI',
  'CLAUDE_PID',
  'AGENTCGROUP_CALL_ID',
] as const;

/** May this command run, and where? Texts are cut by no one: the daemon keeps them short. */
export interface Open {
  type: 'open';
  /** Basename of the shell the shim stands for. */
  shell: string;
  /** argv with argv[0], cut (see MAX_ARG_BYTES). Bytes that are no UTF-8 arrive as U+FFFD. */
  args: string[];
  /** Length of the whole argv before cutting, bytes, a terminating NUL counted for each. */
  argBytes: number;
  /** Working directory; empty when it has been deleted. */
  cwd: string;
  env: Partial<Record<(typeof sharedVariables)[number], string>>;
  stdinIsTty: boolean;
  interactive: boolean;
}

/** The shell runs. `pid` is its pid as the shim sees it: in another pid namespace it means another process. */
export interface Started {
  type: 'started';
  pid: number;
}

/** The shell has ended and was reaped. */
export interface Ended {
  type: 'ended';
  /** Wait status as of waitpid(2). */
  status: number;
  /** rusage of the shell and what it reaped. */
  userUsec: number;
  systemUsec: number;
  maxRssKib: number;
}

/** After a daemon restart: the call goes on. */
export interface Resume {
  type: 'resume';
  call: string;
  pid: number;
}

export const verdict = { contained: 0, plain: 1, refused: 2 } as const;

/** The answer to OPEN. With `contained` the descriptor of the cgroup directory travels in the same sendmsg. */
export interface Opened {
  type: 'opened';
  verdict: keyof typeof verdict;
  call: string;
  /** To set in the child before it execs; left alone when absent. */
  oomScoreAdj?: number;
  /** The child asks for the scheduling policy SCHED_EXT. */
  schedExt?: boolean;
  /** For `refused`: why, for stderr. */
  text?: string;
}

/** The answer to ENDED: the call is closed. `text` is for stderr, after the command's own output. */
export interface Closed {
  type: 'closed';
  text: string;
}

export interface Resumed {
  type: 'resumed';
}

/**
 * The first answer to an OPEN that has to wait (admission): the shim then waits for OPENED without a limit. Without it a
 * daemon that says nothing for `wait_ms` is taken for dead.
 */
export interface Queued {
  type: 'queued';
}

/** The daemon will not: `code` is one of our error codes. */
export interface Failed {
  type: 'error';
  code: string;
  text: string;
}

export type ShimMessage = Open | Started | Ended | Resume;
export type DaemonMessage = Opened | Closed | Resumed | Queued | Failed;
export type Message = ShimMessage | DaemonMessage;
