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

/** A field: its tag, and its value as bytes. */
type Field = [number: Tag, value: Buffer];

function text(number: Tag, value: string): Field {
  if (value.includes('\0')) throw new AcgError('ACG_PROTOCOL', 'a text with a NUL character cannot be sent');
  return [number, Buffer.from(value)];
}

function u32(number: Tag, value: number): Field {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return [number, bytes];
}

function i32(number: Tag, value: number): Field {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32LE(value);
  return [number, bytes];
}

function u64(number: Tag, value: number): Field {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return [number, bytes];
}

function fieldsOf(message: Message): Field[] {
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
  const fields = fieldsOf(message);
  const length = fields.reduce((sum, [, value]) => sum + FIELD_HEADER_BYTES + value.length, 0);
  if (length > MAX_PAYLOAD) throw new AcgError('ACG_PROTOCOL', `a message of ${length} bytes; at most ${MAX_PAYLOAD}`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt16LE(VERSION, 4);
  frame.writeUInt16LE(messageType[message.type], 6);
  frame.writeUInt32LE(length, 8);
  let at = HEADER_BYTES;
  for (const [number, value] of fields) {
    frame.writeUInt16LE(number, at);
    frame.writeUInt16LE(0, at + 2);
    frame.writeUInt32LE(value.length, at + 4);
    at += FIELD_HEADER_BYTES + value.copy(frame, at + FIELD_HEADER_BYTES);
  }
  return frame;
}
