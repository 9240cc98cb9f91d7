/** Scenario files: read, checked, and their sessions brought into the form that is replayed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { AcgError, type Priority } from '../../model/index.ts';
import type { LiveCall, ReplaySession, ShapedCall } from '../replay/index.ts';
import { type CallShape, Scenario, type ScenarioSession } from './types.ts';

/** One session of a run, ready to be started. */
export interface PlannedSession {
  name: string;
  /** The scenario's own name for it and its replicas. */
  role: string;
  tenant: string;
  priority: Priority;
  limit?: number | undefined;
  soft?: number | undefined;
  replay: ReplaySession;
}

/** What a session does that is described by recorded ones. */
export type Source = (session: ScenarioSession, scenario: Scenario, seed: number) => Promise<(ShapedCall | LiveCall)[]>;

/** Throws ACG_SCENARIO naming every wrong key with its path. */
export function loadScenario(file: string): Scenario {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'), { merge: true });
  } catch (cause) {
    throw new AcgError('ACG_SCENARIO', `${file}: ${firstLine(cause)}`, { cause });
  }
  return fromItsFolder(checkScenario(value, file), dirname(file));
}

/** yaml quotes what it does not understand: of a file that is none, kilobytes. */
const firstLine = (cause: unknown) => (cause as Error).message.split('\n')[0]!.slice(0, 200);

/** Workspaces are named from the scenario's own folder. */
function fromItsFolder(scenario: Scenario, folder: string): Scenario {
  const found = <T extends { workspace?: string | undefined }>(at: T): T =>
    at.workspace === undefined ? at : { ...at, workspace: resolve(folder, at.workspace) };
  const sessions = scenario.sessions.map((s) => ({
    ...s,
    ...(s.commands && { commands: found(s.commands) }),
    ...(s.trace && { trace: found(s.trace) }),
  }));
  return { ...scenario, sessions };
}

export function checkScenario(value: unknown, source: string): Scenario {
  const parsed = Scenario.safeParse(value);
  const wrong = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the document'}: ${issue.message}`);
  if (!parsed.success || wrong.length > 0) throw new AcgError('ACG_SCENARIO', `${source}: ${wrong.join('; ')}`);
  return parsed.data;
}

function contradictions(scenario: Scenario): string[] {
  const wrong: string[] = [];
  const names = scenario.sessions.map((s) => s.name);
  if (new Set(names).size < names.length) wrong.push('sessions: two have the same name');
  if (scenario.sweep && !names.includes(scenario.sweep.session))
    wrong.push(`sweep.session: no session ${scenario.sweep.session}`);
  scenario.sessions.forEach((session, i) => {
    session.calls?.forEach((call, k) => {
      const at = `sessions.${i}.calls.${k}.shape`;
      call.shape.forEach((point, p) => {
        const before = call.shape[p - 1];
        if (before && point.at < before.at) wrong.push(`${at}.${p}.at: earlier than the point before it`);
        if (before && point.file < before.file) wrong.push(`${at}.${p}.file: less than at the point before it`);
      });
    });
  });
  return wrong;
}

/** 16 hex digits that change whenever what a run of the scenario does changes: not with its words, nor with which runs are made of it. */
export function hashOf(scenario: Scenario): string {
  const { title, what, arms, runs, sweep, ...done } = scenario;
  const text = JSON.stringify({ ...done, swept: sweep?.session });
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The scenario's sessions, replicas and all, with `variant` of the swept one. */
export async function planSessions(
  scenario: Scenario,
  variant: number | null,
  seed: number,
  source: Source,
): Promise<PlannedSession[]> {
  const planned: PlannedSession[] = [];
  for (const session of scenario.sessions) {
    const swept = variant !== null && scenario.sweep?.session === session.name;
    const count = swept ? variant : session.count;
    // replicas do the same, except that each drawn session, of whatever name, is drawn by itself
    const calls = () =>
      session.calls?.flatMap(shaped) ??
      (session.commands ? liveCalls(session.commands) : source(session, scenario, seed + planned.length + 1));
    for (let i = 1; i <= count; i++) {
      const name = count === 1 && session.count === 1 && !swept ? session.name : `${session.name}-${i}`;
      planned.push({
        name,
        role: session.name,
        tenant: session.tenant ?? name,
        priority: session.priority,
        limit: session.limit,
        soft: session.soft,
        replay: {
          name,
          startAfter: session.startAfter,
          agent: session.agent,
          calls: await calls(),
        },
      });
    }
  }
  return planned;
}

const liveCalls = ({ workspace, run }: NonNullable<ScenarioSession['commands']>): LiveCall[] =>
  run.map(({ after, command, hint }) => ({ after, live: command, cwd: workspace, hint }));

function shaped(call: CallShape): ShapedCall[] {
  const { repeat, ...one } = call;
  return Array.from({ length: repeat }, () => one);
}
