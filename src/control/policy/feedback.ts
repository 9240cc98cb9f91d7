/**
 * What the system says to the model after a call, when something happened to it: what, with numbers; that it is a limit
 * and not an error in the code; what to try for this kind of command. Never anything when nothing happened.
 */
import { type Feedback, formatDuration, formatSize } from '../../model/index.ts';
import { type CommandClass, commandClass } from './command.ts';
import { sanitise } from './hint.ts';

/** What is known about an ended call. All measured: `oomKilled` from memory.events, `pidsLimited` from pids.events. */
export interface FeedbackFacts {
  oomKilled?: boolean | undefined;
  pidsLimited?: boolean | undefined;
  /** As a shell shows it: 0 to 255, 128 + N for signal N. */
  exitStatus?: number | null | undefined;
  peakBytes?: number | undefined;
  /** The hard memory ceiling the call ran into, if it had one. */
  limitBytes?: number | undefined;
  pidsMax?: number | undefined;
  timeLimitMs?: number | undefined;
  process?: { comm: string; rssBytes: number } | undefined;
  command?: string | undefined;
  throttledMs?: number | undefined;
  frozenMs?: number | undefined;
  heldMs?: number | undefined;
  killedBy?: 'oom' | 'ladder' | 'agent' | 'session' | 'limit' | undefined;
  /** Its shell had ended before: the agent is told at its next call. */
  background?: boolean | undefined;
  /** Why the policy killed it (the kill action's reason), when it did. */
  reason?: 'ceiling' | 'pids' | 'time' | undefined;
}

/** Below these a pause is not worth the model's attention, milliseconds. */
export interface FeedbackThresholds {
  pausedAtLeast: number;
  heldAtLeast: number;
}

type Kind = Feedback['kind'];

const usage = (f: FeedbackFacts) => {
  const parts: string[] = [];
  if (f.peakBytes) parts.push(`peak ${formatSize(f.peakBytes)}`);
  if (f.limitBytes) parts.push(`ceiling ${formatSize(f.limitBytes)}`);
  if (f.process) parts.push(`largest process ${sanitise(f.process.comm, 16)} with ${formatSize(f.process.rssBytes)}`);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
};
const pauses = (f: FeedbackFacts) => {
  const parts: string[] = [];
  if (f.frozenMs) parts.push(`stood still for ${formatDuration(f.frozenMs)}`);
  if (f.throttledMs) parts.push(`was slowed down for ${formatDuration(f.throttledMs)}`);
  return parts.join(' and ');
};
const paused = (f: FeedbackFacts) => (pauses(f) ? ` Before that it ${pauses(f)}.` : '');

const which = (f: FeedbackFacts) =>
  f.background
    ? `What you left running in the background${f.command ? ` (${sanitise(f.command)})` : ''}`
    : 'This command';

/** What happened, one text per kind. */
const happened: Record<Kind, (f: FeedbackFacts) => string> = {
  oom: (f) =>
    f.exitStatus === 0
      ? `Some processes of this command were killed because it ran out of the memory it could have${usage(f)}; the command itself went on, so its output may be incomplete.`
      : `${which(f)} was killed because it ran out of the memory it could have${usage(f)}.${paused(f)}`,
  ceiling: (f) =>
    `${which(f)} was stopped because it needed more memory than could be freed for it${usage(f)}.${paused(f)}`,
  pids: (f) =>
    f.reason === 'pids'
      ? `${which(f)} was stopped because it kept starting processes at its limit${f.pidsMax ? ` of ${f.pidsMax}` : ''}.`
      : `${which(f)} ran into its limit of processes${f.pidsMax ? ` (${f.pidsMax})` : ''}: starting some of them failed.`,
  time: (f) =>
    `${which(f)} was stopped at its time limit${f.timeLimitMs ? ` of ${formatDuration(f.timeLimitMs)}` : ''}${usage(f)}.`,
  frozen: (f) => `Memory was short: this command ${pauses(f)}, and then went on${usage(f)}.`,
  throttled: (f) => `Memory was short: this command ${pauses(f)}${usage(f)}.`,
  held: (f) => `Memory was short: this command waited ${formatDuration(f.heldMs ?? 0)} before it was started.`,
};

type Topic = 'memory' | 'processes' | 'time' | 'pause';
const topicOf: Record<Kind, Topic> = {
  oom: 'memory',
  ceiling: 'memory',
  pids: 'processes',
  time: 'time',
  frozen: 'pause',
  throttled: 'pause',
  held: 'pause',
};

/** A hint worth trying: a quarter more than it had, in whole GiB. */
const declare = (peak: number) =>
  `declare the need in front of the command: AGENT_RESOURCE_HINT="memory:${Math.max(1, Math.ceil((peak * 1.25) / 2 ** 30))}g" COMMAND`;

/** What to try, by topic and class. A class that is not in a row has the row's `other`. */
const advice: Record<Topic, Partial<Record<CommandClass, string>> & { other: string }> = {
  memory: {
    pytest: 'Try one test file or -k EXPRESSION at a time, fewer workers (-n 2, or -p no:xdist), and -x to stop early.',
    'js-test': 'Try one test file at a time and fewer workers (jest -i or --maxWorkers=2, vitest --maxWorkers=2).',
    test: 'Try one test or one file at a time, with fewer parallel jobs.',
    bundler: 'Try NODE_OPTIONS=--max-old-space-size=1024, building one package, and turning source maps off.',
    typescript: 'Try NODE_OPTIONS=--max-old-space-size=1024, --incremental, or checking one project or folder.',
    make: 'Try fewer parallel jobs (-j2 or -j1), and building only the target you need.',
    cargo: 'Try cargo with -j 2 (CARGO_BUILD_JOBS=2), cargo check instead of build, or one package with -p.',
    go: 'Try go with -p 2, GOMEMLIMIT=1GiB, or one package instead of ./... .',
    java: 'Try a smaller heap (-Xmx1g, or GRADLE_OPTS/MAVEN_OPTS="-Xmx1g"), one module, and --max-workers=2.',
    pip: 'Try installing one package at a time, --no-cache-dir, and binary wheels (--only-binary :all:).',
    npm: 'Try npm ci --no-audit --no-fund, one workspace at a time, and NODE_OPTIONS=--max-old-space-size=1024.',
    install: 'Try installing one package at a time.',
    server:
      'Try NODE_OPTIONS=--max-old-space-size=1024 or fewer worker processes, and stop servers you no longer need.',
    search: 'Try a narrower path or pattern, and limit the output.',
    vcs: 'Try a narrower path or range (git log -n 50, git diff -- PATH, clone --depth 1).',
    python: 'Try working on part of the data: read in chunks, iterate instead of loading it all.',
    node: 'Try working on part of the data (streams), or a smaller heap (--max-old-space-size=1024).',
    other: 'Try a smaller piece of the work at a time.',
  },
  processes: {
    pytest: 'Try fewer workers (-n 2).',
    'js-test': 'Try fewer workers (--maxWorkers=2).',
    make: 'Try fewer parallel jobs (-j2); a bare -j has no bound.',
    cargo: 'Try fewer jobs (-j 2).',
    other:
      'Check for a loop that starts processes without waiting for them; run fewer at once (xargs -P 4, -j4). A higher limit can be declared: AGENT_RESOURCE_HINT="pids:1024" COMMAND.',
  },
  time: {
    pytest: 'Try one test file, or --timeout for each test, to find the one that hangs.',
    'js-test': 'Try one test file; switch watch mode off (vitest run, jest --watchAll=false, CI=1).',
    server: 'A server does not end by itself: start it in the background with its output in a file.',
    other: 'Try a smaller piece of the work; check that the command does not wait for input or watch for changes.',
  },
  pause: {
    pytest: 'Nothing is wrong with it. If you run it again, fewer workers or fewer files at a time will be quicker.',
    'js-test': 'Nothing is wrong with it. If you run it again, fewer workers or fewer files at a time will be quicker.',
    make: 'Nothing is wrong with it. If you run it again, fewer parallel jobs will be quicker.',
    cargo: 'Nothing is wrong with it. If you run it again, fewer parallel jobs (-j 2) will be quicker.',
    other: 'Nothing is wrong with it. Avoid running several heavy commands at once.',
  },
};

/** Which kind of feedback the facts call for; the worst that happened wins. */
function kindOf(f: FeedbackFacts, limits: FeedbackThresholds): Kind | undefined {
  // the agent or the end of its session stopped the call: nobody is left to tell, or the agent knows
  if (f.killedBy === 'agent' || f.killedBy === 'session') return undefined;
  if (f.reason) return f.reason;
  if (f.killedBy === 'limit') return 'time';
  if (f.killedBy === 'ladder') return 'ceiling';
  if (f.oomKilled || f.killedBy === 'oom') return 'oom';
  // a limit of processes that the command coped with is not worth telling
  if (f.pidsLimited && f.exitStatus !== 0) return 'pids';
  const frozen = f.frozenMs ?? 0;
  const throttled = f.throttledMs ?? 0;
  if (frozen + throttled >= Math.max(limits.pausedAtLeast, 1)) return frozen >= throttled ? 'frozen' : 'throttled';
  return (f.heldMs ?? 0) >= Math.max(limits.heldAtLeast, 1) ? 'held' : undefined;
}

const killed: ReadonlySet<Kind> = new Set(['oom', 'ceiling', 'pids', 'time']);

/** What to tell the model about a call, or undefined when nothing worth telling happened. */
export function feedbackFor(
  facts: FeedbackFacts,
  limits: FeedbackThresholds = { pausedAtLeast: 2000, heldAtLeast: 3000 },
): Feedback | undefined {
  const kind = kindOf(facts, limits);
  if (!kind) return undefined;
  const topic = topicOf[kind];
  const row = advice[topic];
  const hint = topic === 'memory' ? ` If it needs that much, ${declare(facts.peakBytes ?? 2 ** 30)}.` : '';
  const status = facts.exitStatus === undefined || facts.exitStatus === null ? '' : ` Exit status ${facts.exitStatus}.`;
  const limit = killed.has(kind) ? ' This is a resource limit, not an error in your code.' : '';
  return {
    kind,
    text: `${happened[kind](facts)}${status}${limit}`,
    advice: `${row[commandClass(facts.command ?? '')] ?? row.other}${hint}`,
    ...(facts.peakBytes !== undefined && { peakBytes: facts.peakBytes }),
    ...(facts.limitBytes !== undefined && { limitBytes: facts.limitBytes }),
    ...(facts.process && { process: sanitise(facts.process.comm, 16) }),
  };
}

/** Feedback as the lines that follow the command's own output on stderr. */
export function feedbackText(feedback: Feedback): string {
  return `[agentcgroup] ${feedback.text} ${feedback.advice}\n`;
}
