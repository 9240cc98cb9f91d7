/**
 * Rollouts of Codex: `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`, each line `{timestamp, type, payload}`.
 * Calls are `response_item`s (function_call and its kin) answered by their `..._output`; what a command did is in the
 * event `exec_command_end` or, in newer releases, `item_completed` with a `CommandExecution`, which comes when the process
 * has really ended. Checked against files written by 0.169; older event names as in the public protocol.
 */
import { basename } from 'node:path';
import type { EventRecord, LlmOutput, SessionRecord } from '../../model/index.ts';
import { linesOf } from '../lines.ts';
import { ReportBuilder } from '../report.ts';
import { type ImportedSession, sortCalls } from '../session.ts';
import { callRecord, IMPORTED_TENANT, type LoggedCall, pick, shown, stringOf, timeOf, tokens } from './claude-log.ts';
import { isObject } from './salvage.ts';

type Fields = Record<string, unknown>;

/** A call whose process runs on for longer than this after its answer is one in the background. */
const LINGER_MS = 1000;

const ASKS = new Set(['function_call', 'custom_tool_call', 'local_shell_call', 'web_search_call', 'tool_search_call']);
const ANSWERS = new Set(['function_call_output', 'custom_tool_call_output', 'tool_search_output']);

class Rollout {
  readonly events: EventRecord[] = [];
  readonly calls = new Map<string, LoggedCall>();
  readonly labels: Record<string, string> = {};
  id: string | undefined;
  model: string | undefined;
  /** Token counts as older releases log them; used only if the newer kind is absent. */
  readonly oldUsage: EventRecord[] = [];
  newUsage = false;

  add(t: number, type: string, p: Fields): void {
    const kind = shown(p.type);
    if (type === 'session_meta') this.meta(p);
    if (type === 'turn_context') this.model ??= stringOf(p.model);
    if (type === 'response_item') this.item(t, kind, p);
    else if (type === 'token_usage_record') {
      this.newUsage = true;
      this.push(t, 'llm-output', usageOf(p.usage, this.model, stringOf(p.response_id)));
    } else if (kind === 'token_count') {
      const info = isObject(p.info) ? p.info : {};
      this.oldUsage.push(this.event(t, 'llm-output', usageOf(info.last_token_usage, this.model)));
    } else {
      if (kind === 'exec_command_end') this.ended(t, stringOf(p.call_id), p, p);
      if (kind === 'item_completed' && isObject(p.item) && p.item.type === 'CommandExecution')
        this.ended(t, stringOf(p.item.id), p.item, p);
      this.push(t, 'agent-log', { type: p.type === undefined ? type : `${type}/${kind}` });
    }
  }

  private meta(p: Fields): void {
    this.id ??= stringOf(p.id);
    for (const key of ['cwd', 'cli_version', 'originator', 'forked_from_id']) {
      const value = stringOf(p[key]);
      if (value) this.labels[key] ??= value.slice(0, 4096);
    }
    const spawned = isObject(p.source) ? p.source.subagent : undefined;
    if (spawned !== undefined) this.labels.subAgent ??= JSON.stringify(spawned).slice(0, 4096);
  }

  private item(t: number, kind: string, p: Fields): void {
    const id = stringOf(p.call_id) ?? (kind === 'web_search_call' ? stringOf(p.id) : undefined);
    if (ANSWERS.has(kind)) {
      const call = id === undefined ? undefined : this.calls.get(id);
      if (call && call.end === undefined) call.end = t;
      this.push(t, 'llm-input', id === undefined ? {} : { results: [id.slice(0, 128)] });
      return;
    }
    if (kind === 'message' && p.role !== 'assistant') {
      this.push(t, 'llm-input', {});
      return;
    }
    const asked = ASKS.has(kind) && id !== undefined && id.length <= 128;
    if (asked && !this.calls.has(id)) this.calls.set(id, asking(id, kind, t, p));
    const data: LlmOutput = { ...pick('model', this.model), blocks: [kind], ...(asked && { calls: [id] }) };
    this.push(t, 'llm-output', data);
  }

  /** The process of a call has ended: later than its answer when it went on in the background. */
  private ended(t: number, id: string | undefined, result: Fields, envelope: Fields): void {
    const call = id === undefined ? undefined : this.calls.get(id);
    if (!call) return;
    const at =
      typeof envelope.completed_at_ms === 'number' && envelope.completed_at_ms > 0 ? envelope.completed_at_ms : t;
    if (call.end !== undefined && at - call.end > LINGER_MS) call.background = true;
    call.end = Math.max(call.end ?? at, at);
    if (Number.isInteger(result.exit_code)) call.exitCode = result.exit_code as number;
    if (result.status === 'failed' || result.status === 'declined') call.isError = true;
    const cwd = stringOf(result.cwd)?.replace(/^file:\/\//, '');
    if (cwd) call.cwd = cwd;
  }

  private event(t: number, kind: string, data: Fields): EventRecord {
    return { type: 'event', session: this.id ?? 'unknown', t, kind, data };
  }

  private push(t: number, kind: string, data: Fields): void {
    this.events.push(this.event(t, kind, data));
  }
}

/** One rollout file as a session. */
export async function importCodexRollout(path: string): Promise<ImportedSession> {
  const report = new ReportBuilder();
  const rollout = new Rollout();
  for await (const batch of linesOf(path))
    for (const { number, text } of batch) {
      const where = `line ${number}`;
      if (text === undefined) report.leaveOut(where, 'a line too long for a log entry');
      if (!text?.trim()) continue;
      let entry: unknown;
      try {
        entry = JSON.parse(text);
      } catch {
        report.leaveOut(where, 'a line that is not valid JSON');
        continue;
      }
      const t = isObject(entry) ? timeOf(entry.timestamp) : undefined;
      if (!isObject(entry) || t === undefined || typeof entry.type !== 'string')
        report.leaveOut(where, 'a log entry without a type or a time');
      else rollout.add(t, shown(entry.type), isObject(entry.payload) ? entry.payload : {});
    }
  const id = (rollout.id ?? basename(path).replace(/\.jsonl.*$/, '')).slice(0, 128);
  const events = rollout.newUsage ? rollout.events : [...rollout.events, ...rollout.oldUsage];
  for (const e of events) e.session = id;
  events.sort((a, b) => a.t - b.t);
  const start = events[0]?.t ?? 0;
  const end = events.at(-1)?.t ?? 0;
  const session: SessionRecord = {
    type: 'session',
    version: 1,
    session: id,
    tenant: IMPORTED_TENANT,
    source: 'codex',
    agent: 'codex',
    ...pick('model', rollout.model),
    start,
    end,
    activeStart: start,
    activeEnd: end,
    labels: rollout.labels,
  };
  const calls = sortCalls([...rollout.calls.values()].map((c, seq) => callRecord(c, id, seq, `call ${c.id}`, report)));
  for (const call of calls) call.agentSessionId = id;
  Object.assign(report.imported, { samples: 0, calls: calls.length, events: events.length });
  return { session, samples: [], calls, events, path, report: report.build() };
}

function asking(id: string, kind: string, t: number, p: Fields): LoggedCall {
  const command = commandOf(kind, p);
  const tool = stringOf(p.name) ?? (kind === 'local_shell_call' ? 'local_shell' : kind.replace(/_call$/, ''));
  // a search is done by the service: its one entry is written when it is over
  return {
    id,
    tool,
    start: t,
    ...(command !== undefined && { command }),
    ...(kind === 'web_search_call' && { end: t }),
  };
}

/** The command line of a call: `exec_command {cmd}`, `shell {command: [...]}`, `local_shell_call {action: {command}}`. */
function commandOf(kind: string, p: Fields): string | undefined {
  let args: unknown = kind === 'local_shell_call' ? p.action : p.arguments;
  if (typeof args === 'string')
    try {
      args = JSON.parse(args);
    } catch {
      return undefined;
    }
  if (!isObject(args)) return undefined;
  const command = args.cmd ?? args.command;
  if (typeof command === 'string') return command;
  if (!Array.isArray(command) || !command.every((w) => typeof w === 'string')) return undefined;
  // ["bash", "-lc", SCRIPT]: the script is the command
  return command.length === 3 && /^-\w*c$/.test(command[1]!) ? command[2] : command.join(' ');
}

function usageOf(usage: unknown, model: string | undefined, message?: string): LlmOutput {
  const u = isObject(usage) ? usage : {};
  return {
    ...pick('message', message),
    ...pick('model', model),
    ...pick('outputTokens', tokens(u.output_tokens)),
    ...pick('inputTokens', tokens(u.input_tokens)),
    ...pick('cacheReadTokens', tokens(u.cached_input_tokens)),
    ...pick('cacheWriteTokens', tokens(u.cache_write_input_tokens)),
  };
}
