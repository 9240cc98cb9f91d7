/**
 * What goes over the virtio-serial port between host and guest (guest-init/port.c is the other end): frames of u8 type,
 * u32 length (little endian), payload. Pure.
 */
export const FRAME_HEADER = 5;
/** The guest never sends more in one frame; a longer one means that something else writes to the port. */
export const MAX_GUEST_PAYLOAD = 32768;

export interface Frame {
  type: string;
  payload: Buffer;
}

export function encodeFrame(type: string, payload: Uint8Array | string): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const frame = Buffer.alloc(FRAME_HEADER + body.length);
  frame.write(type, 0, 1, 'latin1');
  frame.writeUInt32LE(body.length, 1);
  frame.set(body, FRAME_HEADER);
  return frame;
}

/** Cuts a byte stream, arriving in chunks of any size, into frames. Throws on a frame longer than the guest ever sends. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    const frames: Frame[] = [];
    while (rest.length >= FRAME_HEADER) {
      const length = rest.readUInt32LE(1);
      if (length > MAX_GUEST_PAYLOAD) throw new Error(`a frame of ${length} bytes from the guest`);
      if (rest.length < FRAME_HEADER + length) break;
      frames.push({
        type: rest.toString('latin1', 0, 1),
        payload: rest.subarray(FRAME_HEADER, FRAME_HEADER + length),
      });
      rest = rest.subarray(FRAME_HEADER + length);
    }
    this.#pending = rest;
    return frames;
  }
}

/** What the guest is to run. */
export interface Job {
  /** Milliseconds since the epoch: the guest's clock is set to it. */
  clockMs: number;
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  /** Set: the command gets a terminal of this size. */
  terminal?: { rows: number; columns: number };
}

/** The payload of the start frame: NUL-terminated fields. The strings of a job cannot hold NUL, as those of execve(2). */
export function encodeJob({ clockMs, argv, env, cwd, terminal }: Job): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const fields = [
    String(Math.round(clockMs)),
    cwd,
    String(terminal?.rows ?? 0),
    String(terminal?.columns ?? 0),
    String(argv.length),
    ...argv,
    String(variables.length),
    ...variables,
  ];
  const bad = fields.find((field) => field.includes('\0'));
  if (bad !== undefined) throw new TypeError(`a NUL byte in ${JSON.stringify(bad)}`);
  return Buffer.from(`${fields.join('\0')}\0`);
}

/** How a command ended: one of the two is a number, the other null. */
export interface CommandEnd {
  exitCode: number | null;
  /** The number of the signal that ended it. */
  signal: number | null;
}

/** Reads the payload of an exit frame, "exit N" or "signal N". Throws on anything else. */
export function parseExitReport(text: string): CommandEnd {
  const m = /^(exit|signal) (\d{1,3})$/.exec(text);
  const n = Number(m?.[2]);
  if (m?.[1] === 'exit' && n <= 255) return { exitCode: n, signal: null };
  if (m?.[1] === 'signal' && n >= 1 && n <= 64) return { exitCode: null, signal: n };
  throw new Error(`not an exit report: ${JSON.stringify(text.slice(0, 80))}`);
}
