import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { AcgError } from '../../../model/index.ts';
import { insertHooks, removeInsertions } from './insert.ts';
import type { Target } from './targets.ts';

/** What `install` leaves beside the file it changed: enough to put everything back. */
interface Note {
  version: 1;
  /** SHA-256 of the file as we wrote it. */
  installed: string;
  /** The file as it was, base64; null: there was none. */
  original: string | null;
  inserted: string[];
  /** Folders that were made for it, outermost first. */
  folders: string[];
}

export interface Done {
  file: string;
  done: 'installed' | 'already installed' | 'restored' | 'removed' | 'taken out of the edited file' | 'not installed';
}

const noteOf = (file: string) => `${file}.agentcgroup`;
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The file as `install` would write it. Throws ACG_SETTINGS. */
export function preview(target: Target): string {
  const file = settled(target.file);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return 'content' in target ? target.content : named(file, () => insertHooks(before, target.hooks).text);
}

/** Writes an agent's hooks. Once is enough: a second time changes nothing, or brings what an older release wrote up to date. Throws ACG_SETTINGS. */
export function install(target: Target): Done {
  const file = settled(target.file);
  const note = readNote(file);
  if (note && existsSync(file)) {
    const now = readFileSync(file);
    // edited by the user, with what we put in still in it: theirs
    if (hash(now) !== note.installed) return { file, done: 'already installed' };
    const original = note.original === null ? '' : Buffer.from(note.original, 'base64').toString();
    const wanted = 'content' in target ? target.content : insertHooks(original, target.hooks).text;
    if (now.toString() === wanted) return { file, done: 'already installed' };
    uninstall(target);
  }
  const original = existsSync(file) ? readFileSync(file) : undefined;
  if ('content' in target && original)
    throw new AcgError('ACG_SETTINGS', `${file} is there already and not of \`agentcgroup install\``);
  const { text, inserted } =
    'content' in target
      ? { text: target.content, inserted: [] }
      : named(file, () => insertHooks(original?.toString() ?? '', target.hooks));
  const folders = makeFolders(dirname(file));
  const kept: Note = {
    version: 1,
    installed: hash(Buffer.from(text)),
    original: original?.toString('base64') ?? null,
    inserted,
    folders,
  };
  // the note first: with only one of the two there, nothing is lost
  replace(noteOf(file), JSON.stringify(kept), 0o600);
  replace(file, text, original ? statSync(file).mode & 0o7777 : 0o644);
  return { file, done: 'installed' };
}

/**
 * Puts the file back byte for byte. Throws ACG_SETTINGS_EDITED when it was edited since; with `force` what was put in is taken
 * out of the edited file.
 */
export function uninstall(target: Target, force = false): Done {
  const file = settled(target.file);
  const note = readNote(file);
  if (!note) return { file, done: 'not installed' };
  if (!existsSync(file)) {
    rmSync(noteOf(file));
    return { file, done: 'removed' };
  }
  const now = readFileSync(file);
  const original = note.original === null ? undefined : Buffer.from(note.original, 'base64');
  const mode = statSync(file).mode & 0o7777;
  if (hash(now) === note.installed || (force && 'content' in target)) {
    if (original) replace(file, original, mode);
    else rmSync(file);
    rmSync(noteOf(file));
    if (!original) removeFolders(note.folders);
    return { file, done: original ? 'restored' : 'removed' };
  }
  // written to the point of the note and no further
  if (original && hash(now) === hash(original)) {
    rmSync(noteOf(file));
    return { file, done: 'restored' };
  }
  if (!force) throw new AcgError('ACG_SETTINGS_EDITED', file);
  if (note.inserted.length === 0)
    throw new AcgError(
      'ACG_SETTINGS_EDITED',
      `${file} was made by \`install\` and then edited: take our hooks out by hand`,
    );
  replace(file, removeInsertions(now.toString(), note.inserted), mode);
  rmSync(noteOf(file));
  return { file, done: 'taken out of the edited file' };
}

/** Settings are often links into a folder of dot files: the file they lead to is the one to write. */
function settled(file: string): string {
  const found = existsSync(file) ? realpathSync(file) : file;
  if (statSync(found, { throwIfNoEntry: false })?.isDirectory())
    throw new AcgError('ACG_SETTINGS', `${found} is a folder`);
  return found;
}

function named<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof AcgError) throw new AcgError(error.code, `${file}, ${error.detail}`, { cause: error });
    throw error;
  }
}

function readNote(file: string): Note | undefined {
  if (!existsSync(noteOf(file))) return undefined;
  try {
    const note = JSON.parse(readFileSync(noteOf(file), 'utf8')) as Note;
    if (note.version === 1 && typeof note.installed === 'string' && Array.isArray(note.inserted)) return note;
  } catch {
    // told below
  }
  throw new AcgError('ACG_SETTINGS', `${noteOf(file)} is damaged: take the hooks out of ${file} by hand and remove it`);
}

function replace(file: string, content: string | Uint8Array, mode: number): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, content, { mode });
  chmodSync(temporary, mode);
  renameSync(temporary, file);
}

function makeFolders(folder: string): string[] {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.unshift(at);
  mkdirSync(folder, { recursive: true });
  return missing;
}

function removeFolders(folders: readonly string[]): void {
  for (const folder of [...folders].reverse()) {
    try {
      rmdirSync(folder);
    } catch {
      return; // in use by now
    }
  }
}
