import { AcgError } from '../../../model/index.ts';
import { type Node, parseSettings } from './jsonc.ts';

/** Elements to be put into the arrays `hooks.<event>` of a settings file. */
export type HookEntries = Readonly<Record<string, object>>;

/** A settings text with something put in, and what exactly, so that it can be found again. */
export interface Insertion {
  text: string;
  inserted: string[];
}

/**
 * Puts one element into each `hooks.<event>` array and leaves everything else, comments and layout included, as it is. What is
 * missing on the way is made. Throws ACG_SETTINGS when the text is not JSON or has something else in that place.
 */
export function insertHooks(text: string, entries: HookEntries): Insertion {
  const root = text.trim() === '' ? undefined : parseSettings(text);
  if (!root) return { text: `${JSON.stringify({ hooks: asArrays(entries) }, null, 2)}\n`, inserted: [] };
  if (root.kind !== 'object') throw new AcgError('ACG_SETTINGS', 'expected an object at the top');
  const hooks = root.entries.get('hooks');
  if (!hooks) return insert(text, [piece(root, 1, [member('hooks', asArrays(entries), 1)])]);
  if (hooks.kind !== 'object') throw new AcgError('ACG_SETTINGS', '"hooks" is not an object');
  const missing: string[] = [];
  const pieces: Piece[] = [];
  for (const [event, entry] of Object.entries(entries)) {
    const list = hooks.entries.get(event);
    if (list && list.kind !== 'array') throw new AcgError('ACG_SETTINGS', `"hooks.${event}" is not a list`);
    if (list) pieces.push(piece(list, 3, [indented(entry, 3)]));
    else missing.push(member(event, [entry], 2));
  }
  if (missing.length > 0) pieces.push(piece(hooks, 2, missing));
  return insert(text, pieces);
}

/** Takes insertions out of a text that was edited since. Throws ACG_SETTINGS_EDITED when one is not there as it was put in. */
export function removeInsertions(text: string, inserted: readonly string[]): string {
  // the longest first: one may hold the text of another
  const parts = [...new Set(inserted)].sort((a, b) => b.length - a.length);
  return parts.reduce((rest, part) => {
    const pieces = rest.split(part);
    if (pieces.length - 1 !== inserted.filter((other) => other === part).length)
      throw new AcgError('ACG_SETTINGS_EDITED', 'what was put in has been changed too: take it out by hand');
    return pieces.join('');
  }, text);
}

const asArrays = (entries: HookEntries) =>
  Object.fromEntries(Object.entries(entries).map(([event, entry]) => [event, [entry]]));
const indented = (value: unknown, depth: number) =>
  JSON.stringify(value, null, 2).replaceAll('\n', `\n${'  '.repeat(depth)}`);

type Piece = { at: number; text: string };
type Container = Extract<Node, { open: number }>;

const piece = (into: Container, depth: number, members: string[]): Piece => ({
  at: into.open,
  text: `${members.map((part) => `\n${'  '.repeat(depth)}${part}`).join(',')}${into.empty ? `\n${'  '.repeat(depth - 1)}` : ','}`,
});
const member = (key: string, value: unknown, depth: number) => `${JSON.stringify(key)}: ${indented(value, depth)}`;

function insert(text: string, pieces: Piece[]): Insertion {
  const fromTheEnd = [...pieces].sort((a, b) => b.at - a.at);
  return {
    text: fromTheEnd.reduce((rest, { at, text: part }) => rest.slice(0, at) + part + rest.slice(at), text),
    inserted: pieces.map((part) => part.text),
  };
}
