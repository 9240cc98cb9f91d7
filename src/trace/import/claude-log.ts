import type { CallRecord, EventRecord, LlmInput, LlmOutput } from '../../model/index.ts';
import type { ReportBuilder } from '../report.ts';
import { isObject } from './salvage.ts';

/** Tools whose call encloses a whole sub-agent: Claude Code's Task, named Agent in newer versions. */
export const ENVELOPES: ReadonlySet<string> = new Set(['Task', 'Agent']);

/** Imported sessions belong to no tenant of ours. */
export const IMPORTED_TENANT = 'imported';

/** A call as the log shows it: asked for by the model at `start`, answered at `end`. */
export interface LoggedCall {
  id: string;
  tool: string;
  command?: string;
  cwd?: string;
  start: number;
  end?: number;
  exitCode?: number;
  isError?: boolean;
  subAgent?: boolean;
  background?: boolean;
}

/**
 * Reads entries of Claude Code's session log, which are also the data set's `trace.jsonl`: one JSON object per content
 * block with `type`, `timestamp`, `isSidechain` and `message {id, model, usage, content[]}`.
 */
export class ClaudeLog {
  readonly events: EventRecord[] = [];
  /** In the order in which they were asked for. */
  readonly calls = new Map<string, LoggedCall>();
  /** Milliseconds of the first and last entry. */
  first = Number.POSITIVE_INFINITY;
  last = Number.NEGATIVE_INFINITY;
  private readonly models = new Map<string, number>();
  private readonly session: string;
  private readonly report: ReportBuilder;

  constructor(session: string, report: ReportBuilder) {
    this.session = session;
    this.report = report;
  }

  /** The model most entries of the main thread name. */
  get model(): string | undefined {
    return [...this.models].sort((a, b) => b[1] - a[1])[0]?.[0];
  }

  add(entry: unknown, where: string): void {
    if (!isObject(entry)) {
      this.report.leaveOut(where, 'a log entry that is not an object');
      return;
    }
    const t = timeOf(entry.timestamp);
    if (t === undefined) {
      // summaries, last prompts, file snapshots and the like have no time and say nothing about the run
      const part = entry.type === 'assistant' || entry.type === 'user' || 'timestamp' in entry;
      if (part) this.report.leaveOut(where, `a log entry of type ${shown(entry.type)} without a time`);
      return;
    }
    this.first = Math.min(this.first, t);
    this.last = Math.max(this.last, t);
    const side = entry.isSidechain === true;
    const message = isObject(entry.message) ? entry.message : {};
    const content = Array.isArray(message.content) ? message.content.filter(isObject) : [];
    if (entry.type === 'assistant') this.output(t, message, content, side, stringOf(entry.cwd));
    else if (entry.type === 'user') this.input(t, content, side, entry.toolUseResult);
    else this.push(t, 'agent-log', { type: shown(entry.type) });
  }

  private output(
    t: number,
    message: Record<string, unknown>,
    content: Record<string, unknown>[],
    side: boolean,
    cwd: string | undefined,
  ): void {
    const model = stringOf(message.model);
    if (model && !side) this.models.set(model, (this.models.get(model) ?? 0) + 1);
    const usage = isObject(message.usage) ? message.usage : {};
    const asked: string[] = [];
    for (const block of content) {
      const id = stringOf(block.id);
      if (block.type !== 'tool_use' || !id || id.length > 128) continue;
      asked.push(id);
      if (this.calls.has(id)) continue;
      const input = isObject(block.input) ? block.input : {};
      const command = stringOf(input.command);
      this.calls.set(id, {
        id,
        tool: stringOf(block.name) ?? 'unknown',
        start: t,
        ...(command !== undefined && { command }),
        ...(cwd && { cwd }),
        ...(side && { subAgent: true }),
        ...(input.run_in_background === true && { background: true }),
      });
    }
    const data: LlmOutput = {
      ...pick('message', stringOf(message.id)),
      ...pick('model', model),
      ...pick('outputTokens', tokens(usage.output_tokens)),
      ...pick('inputTokens', tokens(usage.input_tokens)),
      ...pick('cacheReadTokens', tokens(usage.cache_read_input_tokens)),
      ...pick('cacheWriteTokens', tokens(usage.cache_creation_input_tokens)),
      blocks: content.map((b) => shown(b.type)),
      ...(asked.length && { calls: asked }),
      ...(side && { subAgent: true }),
    };
    this.push(t, 'llm-output', data);
  }

  private input(t: number, content: Record<string, unknown>[], side: boolean, outcome: unknown): void {
    const results: string[] = [];
    for (const block of content) {
      const id = stringOf(block.tool_use_id);
      if (block.type !== 'tool_result' || !id) continue;
      if (id.length <= 128) results.push(id);
      const call = this.calls.get(id);
      if (!call || call.end !== undefined) continue;
      call.end = t;
      if (isObject(outcome) && stringOf(outcome.backgroundTaskId)) call.background = true;
      if (block.is_error === true) {
        call.isError = true;
        const code = /^Exit code (\d{1,3})\b/.exec(textOf(block.content))?.[1];
        if (code !== undefined) call.exitCode = Number(code);
      }
    }
    const data: LlmInput = { ...(results.length && { results }), ...(side && { subAgent: true }) };
    this.push(t, 'llm-input', data);
  }

  private push(t: number, kind: string, data: Record<string, unknown>): void {
    this.events.push({ type: 'event', session: this.session, t, kind, data });
  }
}

/** A call record from what the log or the data set says; an end before the start is dropped and noted. */
export function callRecord(
  c: LoggedCall,
  session: string,
  seq: number,
  where: string,
  report: ReportBuilder,
): CallRecord {
  let end = c.end;
  if (end !== undefined && end < c.start) {
    report.note(where, 'a call that ends before it starts: imported without an end');
    end = undefined;
  } else if (end === undefined) report.note(where, 'a call without an end');
  return {
    type: 'call',
    call: c.id,
    session,
    tenant: IMPORTED_TENANT,
    tool: c.tool,
    agentCallId: c.id,
    seq,
    start: c.start,
    ...(c.command !== undefined && { command: c.command }),
    ...(c.cwd !== undefined && { cwd: c.cwd }),
    ...(end !== undefined && { end, durationMs: end - c.start }),
    ...(c.exitCode !== undefined && { exitCode: c.exitCode }),
    ...(c.isError && { isError: true }),
    ...(c.background && { background: true }),
    ...(c.subAgent && { subAgent: true }),
    ...(ENVELOPES.has(c.tool) && { envelope: true }),
  };
}

/** Milliseconds since the epoch of an ISO time; without a zone it is read as UTC. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const t = Date.parse(/(?:z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`);
  return Number.isFinite(t) && t >= 0 ? t : undefined;
}

/** Text of a tool result: a string, or a list of blocks of which the first has text. */
function textOf(content: unknown): string {
  const first: unknown = Array.isArray(content) ? content[0] : content;
  return (isObject(first) ? stringOf(first.text) : stringOf(first)) ?? '';
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function tokens(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

export function shown(type: unknown): string {
  return typeof type === 'string' ? type.slice(0, 64) : 'unknown';
}

export function pick<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
