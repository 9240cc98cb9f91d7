/**
 * What the agent declares before a call: `AGENT_RESOURCE_HINT`. The grammar, total over all strings:
 *
 *   hint  = part *( "," part )          part = key ":" value, spaces around each allowed
 *   memory   low (256 MiB) | medium (1 GiB) | high (unlimited) | NUMBER[kmgt]
 *   cpu, io  low | medium | high        only low has an effect: a hint never raises a share
 *   pids     1 ... 1000000              bounded by call.pidsMax
 *   duration NUMBER[ms|s|m|h]           seconds without a unit; after it the call ranks as background
 *   priority background | normal
 *
 * What does not fit is listed and ignored; the first of two parts with the same key counts. Nothing is ever evaluated.
 */
import { parseDuration, parseSize } from '../../model/index.ts';
import { unwrapCommand } from './unwrap.ts';

export type Level = 'low' | 'medium' | 'high';

export interface Hint {
  /** Bytes, or `high`: more than a medium call, unknown how much. The paper's low and medium are bytes here. */
  memory?: number | 'high';
  cpu?: Level;
  io?: Level;
  pids?: number;
  durationMs?: number;
  priority?: 'background' | 'normal';
}

export interface ParsedHint {
  hint: Hint;
  /** One line for each part that was ignored. */
  errors: string[];
}

export const HINT_VARIABLE = 'AGENT_RESOURCE_HINT';
const MAX_LENGTH = 1024;
const MAX_ERRORS = 8;
const paperSizes: Record<string, number | 'high'> = { low: 2 ** 28, medium: 2 ** 30, high: 'high' };

const level = (v: string): Level | undefined => (v === 'low' || v === 'medium' || v === 'high' ? v : undefined);

/** A value or undefined for one that does not fit. `read` may throw for the same. */
function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** One row per key: reads its value and stores it, or returns false. */
const keys: Record<string, (value: string, hint: Hint) => boolean> = {
  memory(value, hint) {
    const bytes = Object.hasOwn(paperSizes, value) ? paperSizes[value] : orNothing(() => parseSize(value));
    if (bytes === undefined || bytes === 0) return false;
    hint.memory = bytes;
    return true;
  },
  cpu(value, hint) {
    const v = level(value);
    if (v) hint.cpu = v;
    return v !== undefined;
  },
  io(value, hint) {
    const v = level(value);
    if (v) hint.io = v;
    return v !== undefined;
  },
  pids(value, hint) {
    if (!/^\d{1,7}$/.test(value)) return false;
    const n = Number(value);
    if (n < 1 || n > 1_000_000) return false;
    hint.pids = n;
    return true;
  },
  duration(value, hint) {
    const ms = orNothing(() => parseDuration(value));
    if (!ms) return false;
    hint.durationMs = ms;
    return true;
  },
  priority(value, hint) {
    if (value !== 'background' && value !== 'normal') return false;
    hint.priority = value;
    return true;
  },
};

/** Printable, short: what an agent sent must not write control characters into a log or a terminal. */
export function sanitise(text: string, length = 60): string {
  const clean = text.slice(0, length * 2).replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ');
  const shown = clean.trim();
  return shown.length > length ? `${shown.slice(0, length - 3)}...`.toWellFormed() : shown;
}

/** Reads one hint. Never throws; work is linear in the first 1024 characters. */
export function parseHint(text: string): ParsedHint {
  const hint: Hint = {};
  const errors: string[] = [];
  const complain = (e: string) => {
    if (errors.length < MAX_ERRORS) errors.push(e);
  };
  if (text.length > MAX_LENGTH) return { hint, errors: [`hint ignored: longer than ${MAX_LENGTH} characters`] };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const trimmed = part.trim();
    if (trimmed === '') continue;
    const colon = trimmed.indexOf(':');
    const key = trimmed.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = trimmed
      .slice(colon + 1)
      .trim()
      .toLowerCase();
    if (colon < 0 || !Object.hasOwn(keys, key)) complain(`not understood: "${sanitise(trimmed)}"`);
    else if (seen.has(key)) complain(`said twice: "${sanitise(trimmed)}"`);
    else if (!keys[key]!(value, hint)) complain(`not a value for ${key}: "${sanitise(value)}"`);
    else seen.add(key);
  }
  return { hint, errors };
}

const letter = /[A-Za-z_]/;
const nameCharacter = /[A-Za-z0-9_]/;
const space = /[ \t\r\n]/;

/**
 * The value of the hint variable among the assignments a command starts with, as in
 * `AGENT_RESOURCE_HINT="memory:high" pytest`; undefined when there is none. Reads plain, '...' and "..." text; there are
 * no shell semantics: `$`, backquotes and backslashes stay the characters they are (and so never form a valid value).
 */
export function leadingHint(command: string): string | undefined {
  let i = 0;
  const end = Math.min(command.length, 8192);
  let found: string | undefined;
  for (;;) {
    while (i < end && space.test(command[i]!)) i++;
    const start = i;
    if (i >= end || !letter.test(command[i]!)) return found;
    while (i < end && nameCharacter.test(command[i]!)) i++;
    if (command[i] !== '=') return found;
    const name = command.slice(start, i++);
    let value = '';
    while (i < end && !space.test(command[i]!)) {
      const c = command[i]!;
      if (c === '"' || c === "'") {
        const close = command.indexOf(c, i + 1);
        if (close < 0 || close >= end) return found;
        value += command.slice(i + 1, close);
        i = close + 1;
      } else if (c === ';' || c === '&' || c === '|' || c === '(' || c === ')' || c === '<' || c === '>') {
        return name === HINT_VARIABLE && (c === ';' || c === '&') ? value : found;
      } else {
        value += c;
        i++;
      }
    }
    if (name === HINT_VARIABLE) found = value;
  }
}

/** The hint of a call: the one its command starts with, else the one in its environment. */
export function hintOf(call: { environment?: string | undefined; command?: string | undefined }): ParsedHint {
  const text = (call.command === undefined ? undefined : leadingHint(unwrapCommand(call.command))) ?? call.environment;
  return text === undefined ? { hint: {}, errors: [] } : parseHint(text);
}

/** A hint as the flat data of a call record. */
export function hintRecord(hint: Hint): Record<string, string | number> {
  return { ...hint };
}
