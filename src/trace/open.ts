/** Finds sessions in whatever it is given: files and folders of every known form, told apart by their content. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AcgError } from '../model/index.ts';
import { importClaudeSession } from './import/claude-code.ts';
import { importCodexRollout } from './import/codex.ts';
import { ATTEMPT, importAttempt } from './import/dataset.ts';
import type { ImportedSession } from './session.ts';
import { sessionsIn } from './sessions.ts';
import { type Format, formatOf } from './sniff.ts';

export interface OpenOptions {
  /** Told about files in folders that look like traces and are not, and about folders that cannot be read. */
  onSkip?: (path: string, why: string) => void;
  /** Told before each session is read: for progress. */
  onSession?: (path: string) => void;
}

const TRACE_FILE = /\.(?:ndjson|jsonl)(?:\.gz|\.zst)?$/;
const DATASET_FILES = new Set(['resources.json', 'results.json', 'tool_calls.json', 'trace.jsonl']);
/** Deep enough for ~/.codex/sessions/2026/11/23 and a folder of data sets; bounded against loops of links. */
const DEPTH = 8;

/**
 * The sessions in `paths`, one at a time: only the one yielded is in memory. A path may be an attempt, task or data set
 * folder of the AgentCgroup data set, an NDJSON trace, a session file of Claude Code or a rollout of Codex, or a folder
 * with any of these. Throws ACG_TRACE for a named path that is none of them, ACG_TRACE_EMPTY when nothing was found.
 */
export async function* openTraces(paths: string[], options: OpenOptions = {}): AsyncGenerator<ImportedSession> {
  let found = 0;
  for (const path of paths) {
    const info = await stat(path).catch((cause) => {
      throw new AcgError('ACG_TRACE', `${path}: ${(cause as Error).message}`, { cause });
    });
    const sessions = info.isDirectory() ? folder(path, options, DEPTH) : file(path, options, true);
    for await (const s of sessions) {
      found++;
      yield s;
    }
  }
  if (!found) throw new AcgError('ACG_TRACE_EMPTY', paths.join(', '));
}

async function* folder(path: string, options: OpenOptions, depth: number): AsyncGenerator<ImportedSession> {
  let entries: import('node:fs').Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    options.onSkip?.(path, (error as Error).message);
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = new Set(entries.map((e) => e.name));
  if (names.has('resources.json') || (names.has('results.json') && names.has('trace.jsonl'))) {
    options.onSession?.(path);
    yield await importAttempt(path, await isLastAttempt(path));
    return;
  }
  const attempts = entries.filter((e) => ATTEMPT.test(e.name)).map((e) => e.name);
  attempts.sort((a, b) => attemptNumber(a) - attemptNumber(b));
  for (const name of attempts) {
    options.onSession?.(join(path, name));
    yield await importAttempt(join(path, name), name === attempts.at(-1));
  }
  for (const e of entries) {
    const inner = join(path, e.name);
    if (e.isDirectory() && !ATTEMPT.test(e.name)) {
      if (depth > 0) yield* folder(inner, options, depth - 1);
      else options.onSkip?.(inner, 'too many folders deep');
    } else if (e.isFile() && TRACE_FILE.test(e.name) && !DATASET_FILES.has(e.name)) yield* file(inner, options, false);
  }
}

async function* file(path: string, options: OpenOptions, named: boolean): AsyncGenerator<ImportedSession> {
  let format: Format | undefined;
  let why = 'neither a trace nor a session file of a known agent';
  try {
    format = await formatOf(path);
  } catch (error) {
    // one file that cannot be read, among many, is no reason to do without the others
    if (named) throw error;
    why = (error as Error).message;
  }
  if (!format) {
    if (named) throw new AcgError('ACG_TRACE', `${path}: ${why}`);
    options.onSkip?.(path, why);
    return;
  }
  options.onSession?.(path);
  if (format === 'ndjson') yield* sessionsIn(path);
  else if (format === 'codex') yield await importCodexRollout(path);
  else {
    const session = await importClaudeSession(path);
    if (session) yield session;
  }
}

async function isLastAttempt(dir: string): Promise<boolean> {
  if (!ATTEMPT.test(basename(dir))) return true;
  const siblings = await readdir(join(dir, '..')).catch((): string[] => []);
  return !siblings.some((s) => ATTEMPT.test(s) && attemptNumber(s) > attemptNumber(basename(dir)));
}

function attemptNumber(name: string): number {
  return Number(ATTEMPT.exec(name)?.[1] ?? 0);
}
