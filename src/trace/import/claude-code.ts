/**
 * Session files of Claude Code: `~/.claude/projects/<folder>/<session>.jsonl`, one JSON object per log entry. Sub-agents
 * are side chains in the same file (older releases) or have files of their own beside it: `agent-<id>.jsonl` in the same
 * folder or in `<session>/subagents/`. Checked against files written by 2.0 (the data set) and 2.1.330.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { SessionRecord } from '../../model/index.ts';
import { linesOf } from '../lines.ts';
import { ReportBuilder } from '../report.ts';
import { type ImportedSession, sortCalls } from '../session.ts';
import { ClaudeLog, callRecord, IMPORTED_TENANT, stringOf } from './claude-log.ts';
import { isObject } from './salvage.ts';

const SUB_AGENT_FILE = /^agent-.*\.jsonl$/;

/** One session with its sub-agents. Undefined when `path` is a sub-agent's file whose session stands beside it. */
export async function importClaudeSession(path: string): Promise<ImportedSession | undefined> {
  const report = new ReportBuilder();
  const head = await headOf(path);
  const id = (head.sessionId ?? basename(path).replace(/\.jsonl.*$/, '')).slice(0, 128);
  if (SUB_AGENT_FILE.test(basename(path)) && (await mainFileBeside(path, id))) return undefined;
  const log = new ClaudeLog(id, report);
  const seen = new Set<string>();
  const labels: Record<string, string> = {};
  for (const file of [path, ...(await subAgentFiles(path, id))])
    await readInto(log, file, seen, labels, file === path ? '' : `${basename(file)}:`, report);
  if (!log.events.length) report.note(path, 'no entry with a time');
  const start = log.events.length ? log.first : 0;
  const end = log.events.length ? log.last : 0;
  const session: SessionRecord = {
    type: 'session',
    version: 1,
    session: id,
    tenant: IMPORTED_TENANT,
    source: 'claude-code',
    agent: 'claude-code',
    ...(log.model && { model: log.model }),
    start,
    end,
    activeStart: start,
    activeEnd: end,
    labels,
  };
  const calls = sortCalls([...log.calls.values()].map((c, seq) => callRecord(c, id, seq, `call ${c.id}`, report)));
  for (const call of calls) call.agentSessionId = id;
  log.events.sort((a, b) => a.t - b.t);
  Object.assign(report.imported, { samples: 0, calls: calls.length, events: log.events.length });
  return { session, samples: [], calls, events: log.events, path, report: report.build() };
}

async function readInto(
  log: ClaudeLog,
  file: string,
  seen: Set<string>,
  labels: Record<string, string>,
  place: string,
  report: ReportBuilder,
): Promise<void> {
  for await (const batch of linesOf(file))
    for (const { number, text } of batch) {
      const where = `${place || 'line '}${number}`;
      if (text === undefined) report.leaveOut(where, 'a line too long for a log entry');
      if (!text?.trim()) continue;
      let entry: unknown;
      try {
        entry = JSON.parse(text);
      } catch {
        report.leaveOut(where, 'a line that is not valid JSON');
        continue;
      }
      if (isObject(entry)) {
        // a resumed session repeats entries it has written before
        const uuid = stringOf(entry.uuid);
        if (uuid && seen.has(uuid)) continue;
        if (uuid) seen.add(uuid);
        for (const key of ['cwd', 'version', 'gitBranch']) {
          const value = stringOf(entry[key]);
          if (value && !labels[key]) labels[key] = value.slice(0, 4096);
        }
      }
      log.add(entry, where);
    }
}

/** The first session id a file names. */
async function headOf(path: string): Promise<{ sessionId?: string }> {
  let looked = 0;
  for await (const batch of linesOf(path))
    for (const { text } of batch) {
      try {
        const entry: unknown = JSON.parse(text ?? '');
        const sessionId = isObject(entry) ? stringOf(entry.sessionId) : undefined;
        if (sessionId) return { sessionId };
      } catch {
        // reported when the file is read as a whole
      }
      if (++looked >= 50) return {};
    }
  return {};
}

async function mainFileBeside(path: string, session: string): Promise<boolean> {
  const folder = dirname(path);
  const places = [folder, join(folder, '..', '..')];
  for (const place of places)
    if ((await readdir(place).catch((): string[] => [])).includes(`${session}.jsonl`)) return true;
  return false;
}

async function subAgentFiles(path: string, session: string): Promise<string[]> {
  if (SUB_AGENT_FILE.test(basename(path))) return [];
  const found: string[] = [];
  const beside = dirname(path);
  const own = join(beside, session, 'subagents');
  for (const folder of [beside, own])
    for (const name of (await readdir(folder).catch((): string[] => [])).sort()) {
      if (!SUB_AGENT_FILE.test(name)) continue;
      const file = join(folder, name);
      if (folder === own || (await headOf(file)).sessionId === session) found.push(file);
    }
  return found;
}
