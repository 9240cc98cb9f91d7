import { AcgError } from '../../model/index.ts';
import { Fields } from './fields.ts';
import {
  type DaemonMessage,
  HEADER_BYTES,
  MAGIC,
  MAX_ARG_BYTES,
  MAX_ARGS,
  MAX_PAYLOAD,
  MAX_TEXT,
  type Message,
  messageType,
  type Open,
  type Opened,
  type ShimMessage,
  sharedVariables,
  VERSION,
  verdict,
} from './protocol.ts';

const PATH_MAX = 4096;
const NAME_MAX = 255;
const longestVariable = 4096;
const longestCall = 128;

function broken(detail: string): AcgError {
  return new AcgError('ACG_PROTOCOL', detail);
}

function open(fields: Fields): Open {
  const shell = fields.text('SHELL', NAME_MAX);
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(shell)) throw broken('SHELL is not the name of a shell');
  const args = fields.texts('ARG', MAX_ARG_BYTES);
  if (args.length > MAX_ARGS) throw broken(`more than ${MAX_ARGS} of ARG`);
  const env: Open['env'] = {};
  for (const entry of fields.texts('ENV', longestVariable)) {
    const at = entry.indexOf('=');
    const name = sharedVariables.find((known) => known === entry.slice(0, at));
    if (!name) throw broken('ENV is not one of the variables that are shared');
    if (name in env) throw broken(`${name} is given twice`);
    env[name] = entry.slice(at + 1);
  }
  const flags = fields.u32('FLAGS');
  return {
    type: 'open',
    shell,
    args,
    argBytes: fields.u64('ARG_BYTES'),
    cwd: fields.text('CWD', PATH_MAX),
    env,
    stdinIsTty: (flags & 1) !== 0,
    interactive: (flags & 2) !== 0,
  };
}

function opened(fields: Fields): Opened {
  const number = fields.u32('VERDICT');
  const word = (Object.keys(verdict) as (keyof typeof verdict)[]).find((key) => verdict[key] === number);
  if (!word) throw broken(`no verdict ${number}`);
  return {
    type: 'opened',
    verdict: word,
    call: fields.text('CALL', longestCall),
    ...(fields.has('OOM_SCORE_ADJ') ? { oomScoreAdj: fields.i32('OOM_SCORE_ADJ') } : {}),
    ...(fields.has('POLICY') ? { schedExt: fields.u32('POLICY') === 1 } : {}),
    ...(fields.has('TEXT') ? { text: fields.text('TEXT', MAX_TEXT) } : {}),
  };
}

/** Pids are positive and at most 2^22 (PID_MAX_LIMIT). */
function pid(fields: Fields): number {
  const value = fields.u32('PID');
  if (value < 1 || value > 2 ** 22) throw broken(`no pid: ${value}`);
  return value;
}

const decoders: { [K in keyof typeof messageType]: (fields: Fields) => Extract<Message, { type: K }> } = {
  open,
  opened,
  started: (fields) => ({ type: 'started', pid: pid(fields) }),
  ended: (fields) => ({
    type: 'ended',
    status: fields.u32('STATUS'),
    userUsec: fields.u64('USER_USEC'),
    systemUsec: fields.u64('SYSTEM_USEC'),
    maxRssKib: fields.u64('MAX_RSS_KIB'),
  }),
  resume: (fields) => ({ type: 'resume', call: fields.text('CALL', longestCall), pid: pid(fields) }),
  closed: (fields) => ({ type: 'closed', text: fields.text('TEXT', MAX_TEXT) }),
  resumed: () => ({ type: 'resumed' }),
  queued: () => ({ type: 'queued' }),
  error: (fields) => ({ type: 'error', code: fields.text('CODE', 64), text: fields.text('TEXT', MAX_TEXT) }),
};

const senders = {
  shim: ['open', 'started', 'ended', 'resume'],
  daemon: ['opened', 'closed', 'resumed', 'queued', 'error'],
} as const;

/** What a sender may send. */
export type From<S extends keyof typeof senders> = S extends 'shim' ? ShimMessage : DaemonMessage;

/**
 * Frames out of a byte stream, however it is cut. Holds one frame at most: header and payload (HEADER_BYTES +
 * MAX_PAYLOAD). What breaks the rules is ACG_PROTOCOL, another version ACG_PROTOCOL_VERSION; after that the reader
 * takes no more: the connection is to be closed.
 */
export class FrameReader<S extends keyof typeof senders> {
  readonly #sender: S;
  /** The frame under construction: its header at first, then of its whole length. */
  #frame = Buffer.alloc(HEADER_BYTES);
  #filled = 0;
  #failed: AcgError | undefined;

  constructor(sender: S) {
    this.#sender = sender;
  }

  /** Bytes waiting for the rest of their frame. */
  get buffered(): number {
    return this.#filled;
  }

  /** The messages that this chunk completes. Those before a broken one are lost with it. */
  push(chunk: Uint8Array): From<S>[] {
    if (this.#failed) throw this.#failed;
    try {
      return this.#read(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    } catch (error) {
      this.#failed = error as AcgError;
      this.#startFrame();
      throw error;
    }
  }

  /** To be called when the stream ends: in the middle of a frame that is ACG_PROTOCOL. */
  end(): void {
    if (this.#failed) throw this.#failed;
    if (this.#filled > 0) throw broken('the message is cut off');
  }

  #startFrame(): void {
    this.#frame = Buffer.alloc(HEADER_BYTES);
    this.#filled = 0;
  }

  #read(chunk: Buffer): From<S>[] {
    const messages: From<S>[] = [];
    let at = 0;
    while (at < chunk.length) {
      const whole = this.#wholeFrame(chunk, at);
      if (whole) {
        messages.push(this.#decode(whole));
        at += whole.length;
        continue;
      }
      const copied = chunk.copy(this.#frame, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled < this.#frame.length) break;
      const length = HEADER_BYTES + this.#checkHeader(this.#frame);
      if (this.#filled < length) {
        this.#frame = Buffer.concat([this.#frame], length);
        continue;
      }
      messages.push(this.#decode(this.#frame));
      this.#startFrame();
    }
    return messages;
  }

  /** The frame that begins here and ends in the same chunk, as nearly all do: it needs no copy. */
  #wholeFrame(chunk: Buffer, at: number): Buffer | undefined {
    if (this.#filled > 0 || chunk.length - at < HEADER_BYTES) return undefined;
    const end = at + HEADER_BYTES + this.#checkHeader(at === 0 ? chunk : chunk.subarray(at));
    return end <= chunk.length ? chunk.subarray(at, end) : undefined;
  }

  /** The length of the payload that follows. */
  #checkHeader(header: Buffer): number {
    const magic = header.readUInt32LE(0);
    if (magic !== MAGIC) throw broken('not a message of agentcgroup');
    const version = header.readUInt16LE(4);
    if (version !== VERSION) throw new AcgError('ACG_PROTOCOL_VERSION', `${version}; this side speaks ${VERSION}`);
    const length = header.readUInt32LE(8);
    if (length > MAX_PAYLOAD) throw broken(`a message of ${length} bytes; at most ${MAX_PAYLOAD}`);
    return length;
  }

  #decode(frame: Buffer): From<S> {
    const number = frame.readUInt16LE(6);
    const type = senders[this.#sender].find((name) => messageType[name] === number);
    if (!type) throw broken(`no message of type ${number} from the ${this.#sender}`);
    return decoders[type](new Fields(frame.subarray(HEADER_BYTES))) as From<S>;
  }
}
