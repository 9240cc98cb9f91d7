import { AcgError } from '../../model/index.ts';
import {
  FIELD_HEADER_BYTES,
  HEADER_BYTES,
  MAGIC,
  MAX_PAYLOAD,
  type Message,
  messageType,
  tag,
  VERSION,
  verdict,
} from './protocol.ts';

type Tag = (typeof tag)[keyof typeof tag];

function field(number: Tag, value: Buffer): Buffer {
  const header = Buffer.alloc(FIELD_HEADER_BYTES);
  header.writeUInt16LE(number, 0);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}

function text(number: Tag, value: string): Buffer {
  if (value.includes('\0')) throw new AcgError('ACG_PROTOCOL', 'a text with a NUL character cannot be sent');
  return field(number, Buffer.from(value));
}

function u32(number: Tag, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return field(number, bytes);
}

function i32(number: Tag, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return field(number, bytes);
}

function u64(number: Tag, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return field(number, bytes);
}

function fieldsOf(message: Message): Buffer[] {
  switch (message.type) {
    case 'open':
      return [
        text(tag.SHELL, message.shell),
        ...message.args.map((arg) => text(tag.ARG, arg)),
        u64(tag.ARG_BYTES, message.argBytes),
        text(tag.CWD, message.cwd),
        ...Object.entries(message.env).map(([name, value]) => text(tag.ENV, `${name}=${value}`)),
        u32(tag.FLAGS, (message.stdinIsTty ? 1 : 0) | (message.interactive ? 2 : 0)),
      ];
    case 'started':
      return [u32(tag.PID, message.pid)];
    case 'ended':
      return [
        u32(tag.STATUS, message.status),
        u64(tag.USER_USEC, message.userUsec),
        u64(tag.SYSTEM_USEC, message.systemUsec),
        u64(tag.MAX_RSS_KIB, message.maxRssKib),
      ];
    case 'resume':
      return [text(tag.CALL, message.call), u32(tag.PID, message.pid)];
    case 'opened':
      return [
        u32(tag.VERDICT, verdict[message.verdict]),
        text(tag.CALL, message.call),
        ...(message.oomScoreAdj === undefined ? [] : [i32(tag.OOM_SCORE_ADJ, message.oomScoreAdj)]),
        ...(message.schedExt ? [u32(tag.POLICY, 1)] : []),
        ...(message.text === undefined ? [] : [text(tag.TEXT, message.text)]),
      ];
    case 'closed':
      return [text(tag.TEXT, message.text)];
    case 'resumed':
    case 'queued':
      return [];
    case 'error':
      return [text(tag.CODE, message.code), text(tag.TEXT, message.text)];
  }
}

/** A message as one frame. Throws ACG_PROTOCOL when it is larger than any peer would take. */
export function encode(message: Message): Buffer {
  const payload = Buffer.concat(fieldsOf(message));
  if (payload.length > MAX_PAYLOAD)
    throw new AcgError('ACG_PROTOCOL', `a message of ${payload.length} bytes; at most ${MAX_PAYLOAD}`);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(VERSION, 4);
  header.writeUInt16LE(messageType[message.type], 6);
  header.writeUInt32LE(payload.length, 8);
  return Buffer.concat([header, payload]);
}
