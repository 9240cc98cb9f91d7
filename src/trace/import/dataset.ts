/**
 * The public AgentCgroup data set: `<data set>/<task>/attempt_<n>/` with `resources.json` (samples of `podman stats`),
 * `results.json` (phases, image, exit), `tool_calls.json` (calls; absent in one of the sets) and `trace.jsonl` (Claude
 * Code's session log). Any of the files may be missing or cut off: the sound rest is imported.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CallRecord, EventRecord, SampleRecord, SessionRecord } from '../../model/index.ts';
import { ReportBuilder } from '../report.ts';
import { type ImportedSession, sortCalls } from '../session.ts';
import { ClaudeLog, callRecord, IMPORTED_TENANT, type LoggedCall, stringOf, timeOf } from './claude-log.ts';
import { inTimeOrder } from './order.ts';
import { podmanPercent, podmanUsage } from './podman.ts';
import { isObject, salvageList } from './salvage.ts';

export const ATTEMPT = /^attempt_(\d+)$/;
/** One attempt. `lastAttempt` is the caller's to know: it has seen the task's other folders. */
export async function importAttempt(dir: string, lastAttempt: boolean): Promise<ImportedSession> {
  const report = new ReportBuilder();
  const task = basename(dirname(dir));
  const dataset = basename(dirname(dirname(dir)));
  const number = Number(ATTEMPT.exec(basename(dir))?.[1] ?? 1);
  const id = `${dataset}/${task}/${basename(dir)}`.slice(-128);
  const [resources, results, toolCalls, trace] = await Promise.all(
    ['resources.json', 'results.json', 'tool_calls.json', 'trace.jsonl'].map((name) => text(dir, name, report)),
  );
  const { samples, limit, limitText } = readSamples(resources, id, report);
  const log = readLog(trace, id, report);
  const calls = readCalls(toolCalls, log, id, report);
  const outcome = readResults(results, report);
  const session: SessionRecord = {
    type: 'session',
    version: 1,
    session: id,
    tenant: IMPORTED_TENANT,
    source: 'dataset',
    agent: 'claude-code',
    ...((log.model ?? outcome.model) && { model: log.model ?? outcome.model }),
    task,
    dataset,
    attempt: number,
    lastAttempt,
    ...span(outcome, samples, log, calls),
    ...(log.events.length && { activeStart: log.first, activeEnd: log.last }),
    ...(outcome.exitCode !== undefined && { exitCode: outcome.exitCode }),
    ...(limit !== undefined && { memoryLimitBytes: limit }),
    ...(Object.keys(outcome.phasesMs).length && { phasesMs: outcome.phasesMs }),
    ...(outcome.imageBytes !== undefined && { imageBytes: outcome.imageBytes }),
    labels: {
      ...(outcome.image && { image: outcome.image }),
      ...(outcome.model && { requestedModel: outcome.model }),
      ...(limitText && { memoryLimitText: limitText }),
    },
  };
  const events: EventRecord[] = log.events.sort((a, b) => a.t - b.t);
  if (outcome.stderr)
    events.push({
      type: 'event',
      session: id,
      t: Math.max(session.end ?? session.start, events.at(-1)?.t ?? 0),
      kind: 'agent-stderr',
      text: outcome.stderr,
    });
  report.imported.samples = samples.length;
  report.imported.calls = calls.length;
  report.imported.events = events.length;
  return { session, samples, calls, events, path: dir, report: report.build() };
}

async function text(dir: string, name: string, report: ReportBuilder): Promise<string | undefined> {
  try {
    return await readFile(join(dir, name), 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // one variant of the data set has no tool_calls.json: the calls are in trace.jsonl as well
    report.note(name, code === 'ENOENT' ? `no ${name}` : `${name} cannot be read: ${(error as Error).message}`);
    return undefined;
  }
}

function readSamples(
  json: string | undefined,
  session: string,
  report: ReportBuilder,
): { samples: SampleRecord[]; limit?: number; limitText?: string } {
  if (json === undefined) return { samples: [] };
  const { elements, damage } = salvageList(json, 'samples');
  if (damage) report.leaveOut('resources.json', damage);
  const samples: SampleRecord[] = [];
  let limit: number | undefined;
  let limitText: string | undefined;
  for (const [i, e] of elements.entries()) {
    const where = `resources.json samples[${i}]`;
    const epoch = isObject(e) ? e.epoch : undefined;
    const written = isObject(e) ? stringOf(e.mem_usage) : undefined;
    const usage = written === undefined ? undefined : podmanUsage(written);
    if (typeof epoch !== 'number' || !Number.isFinite(epoch) || epoch < 0) {
      report.leaveOut(where, 'a sample without a time');
      continue;
    }
    if (!usage || written === undefined) {
      report.leaveOut(where, 'a sample whose memory is not a size');
      continue;
    }
    const percent = podmanPercent(String((e as Record<string, unknown>).cpu_percent ?? ''));
    if (percent === undefined) report.note(where, 'a sample without a CPU figure');
    if (limit === undefined && !usage.gone) {
      limit = usage.limit;
      limitText = written.split('/')[1]!.trim();
    }
    samples.push({
      type: 'sample',
      session,
      t: epoch * 1000,
      memoryBytes: usage.used,
      ...(percent !== undefined && { cpuLifetimePercent: percent }),
      memoryText: written.split('/')[0]!.trim(),
      ...(usage.gone && { gone: true }),
    });
  }
  return {
    samples: inTimeOrder(samples, 'resources.json', report),
    ...(limit !== undefined && { limit }),
    ...(limitText !== undefined && { limitText }),
  };
}

function readLog(lines: string | undefined, session: string, report: ReportBuilder): ClaudeLog {
  const log = new ClaudeLog(session, report);
  if (lines === undefined) return log;
  let number = 0;
  for (const line of lines.split('\n')) {
    number++;
    if (line.trim() === '') continue;
    let entry: unknown;
    try {
      entry = JSON.parse(line);
    } catch {
      report.leaveOut(`trace.jsonl:${number}`, 'a line that is not valid JSON');
      continue;
    }
    log.add(entry, `trace.jsonl:${number}`);
  }
  return log;
}

/** The calls of tool_calls.json, completed by the log; where that file is missing, the calls of the log. */
function readCalls(json: string | undefined, log: ClaudeLog, session: string, report: ReportBuilder): CallRecord[] {
  const found: LoggedCall[] = [];
  if (json !== undefined) {
    const { elements, damage } = salvageList(json);
    if (damage) report.leaveOut('tool_calls.json', damage);
    for (const [i, e] of elements.entries()) {
      const where = `tool_calls.json[${i}]`;
      const start = isObject(e) ? timeOf(e.timestamp) : undefined;
      const id = isObject(e) ? stringOf(e.id) : undefined;
      if (!isObject(e) || start === undefined || id === undefined || id.length > 128) {
        report.leaveOut(where, 'a call without an id or a start time');
        continue;
      }
      const logged = log.calls.get(id);
      const end = timeOf(e.end_timestamp) ?? logged?.end;
      const command = (isObject(e.input) ? stringOf(e.input.command) : undefined) ?? logged?.command;
      found.push({
        id,
        tool: stringOf(e.tool) ?? logged?.tool ?? 'unknown',
        start,
        ...(end !== undefined && { end }),
        ...(command !== undefined && { command }),
        ...(logged?.isError && { isError: true }),
        ...(logged?.subAgent && { subAgent: true }),
      });
    }
  }
  const known = new Set(found.map((c) => c.id));
  const more = [...log.calls.values()].filter((c) => !known.has(c.id));
  if (json !== undefined && more.length)
    report.note('tool_calls.json', 'a call that only trace.jsonl has', more.length);
  return sortCalls([...found, ...more].map((c, seq) => callRecord(c, session, seq, `call ${c.id}`, report)));
}

interface Outcome {
  startLocal?: number;
  endLocal?: number;
  phasesMs: Record<string, number>;
  imageBytes?: number;
  image?: string;
  model?: string;
  exitCode?: number;
  stderr?: string;
}

function readResults(json: string | undefined, report: ReportBuilder): Outcome {
  const outcome: Outcome = { phasesMs: {} };
  if (json === undefined) return outcome;
  let r: unknown;
  try {
    r = JSON.parse(json);
  } catch (error) {
    report.leaveOut('results.json', `not valid JSON (${(error as Error).message})`);
    return outcome;
  }
  if (!isObject(r)) {
    report.leaveOut('results.json', 'an object was expected');
    return outcome;
  }
  const phases = { pull: 'pull_time', permissionFix: 'permission_fix_time', run: 'claude_time', total: 'total_time' };
  for (const [name, key] of Object.entries(phases)) {
    const seconds = r[key];
    if (typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0)
      outcome.phasesMs[name] = seconds * 1000;
    else report.note('results.json', `no ${key}`);
  }
  const set = <K extends keyof Outcome>(key: K, value: Outcome[K] | undefined) => {
    if (value !== undefined) outcome[key] = value;
  };
  set('startLocal', timeOf(r.start_time));
  set('endLocal', timeOf(r.end_time));
  set('image', stringOf(r.image));
  set('model', stringOf(r.model));
  const image = isObject(r.image_info) ? r.image_info : {};
  if (typeof image.size_bytes === 'number' && image.size_bytes >= 0) set('imageBytes', image.size_bytes);
  else if (typeof image.size_mb === 'number' && image.size_mb >= 0)
    set('imageBytes', Math.round(image.size_mb * 2 ** 20));
  const output = isObject(r.claude_output) ? r.claude_output : {};
  if (Number.isInteger(output.exit_code)) set('exitCode', output.exit_code as number);
  set('stderr', stringOf(output.stderr)?.slice(0, 4096));
  return outcome;
}

/**
 * Start and end of the container. results.json has them in local time without a zone; the zone is found by comparing its
 * end with the last thing seen in UTC, to the nearest quarter of an hour. Without that, the span of what was seen.
 */
function span(
  outcome: Outcome,
  samples: SampleRecord[],
  log: ClaudeLog,
  calls: CallRecord[],
): { start: number; end?: number } {
  const seen = [samples[0]?.t, samples.at(-1)?.t, log.first, log.last, calls[0]?.start, calls.at(-1)?.end].filter(
    (t): t is number => t !== undefined && Number.isFinite(t),
  );
  const { startLocal, endLocal, phasesMs } = outcome;
  if (!seen.length) return { start: startLocal ?? 0 };
  const first = Math.min(...seen);
  const last = Math.max(...seen);
  if (startLocal === undefined || endLocal === undefined || phasesMs.run === undefined)
    return { start: first, end: last };
  const quarter = 15 * 60_000;
  const zone = Math.round((last - endLocal) / quarter) * quarter;
  const start = startLocal + zone + (phasesMs.pull ?? 0) + (phasesMs.permissionFix ?? 0);
  return start <= first ? { start, end: start + phasesMs.run } : { start: first, end: last };
}
