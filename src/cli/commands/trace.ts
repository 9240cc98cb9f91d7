import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AcgError, type CallRecord } from '../../model/index.ts';
import type { ImportedSession } from '../../trace/index.ts';
import { printJson } from '../print.ts';
import { Progress } from '../trace/progress.ts';

const INPUTS = `
TRACES may be NDJSON traces of ours, folders of the AgentCgroup data set (a whole set, a task or one attempt), session
files of Claude Code (~/.claude/projects/...), rollouts of Codex (~/.codex/sessions/...), or folders with any of these.
They are told apart by their content. docs/trace-format.md describes our format field by field.`;

export function addTrace(program: Command): void {
  const trace = program
    .command('trace')
    .description('Recorded sessions: look at them, check, import, merge, anonymise, export.');
  addShow(trace);
  addValidate(trace);
  addImport(trace);
  addMerge(trace);
  addAnonymise(trace);
  addExport(trace);
}

/** The sessions of the named inputs, with progress on stderr, and with what was skipped told there. */
async function* sessionsOf(paths: string[]): AsyncGenerator<ImportedSession> {
  const { openTraces } = await import('../../trace/index.ts');
  const progress = new Progress('sessions');
  yield* openTraces(paths, {
    onSkip: (path, why) => void process.stderr.write(`skipped ${path}: ${why}\n`),
    onSession: (path) => progress.step(path),
  });
}

function addShow(trace: Command): void {
  trace
    .command('show')
    .description('Sessions as a table; a few of them with time line and calls.')
    .argument('<traces...>')
    .option('--session <id>', 'only this session')
    .option('--calls', 'time line and calls of every session, however many')
    .option('--json', 'one JSON document: the sessions with their figures; with --calls, their calls as well')
    .addHelpText(
      'after',
      `${INPUTS}

Examples:
  agentcgroup trace show session.ndjson
  agentcgroup trace show all_images_haiku/
  agentcgroup trace show ~/.claude/projects --json`,
    )
    .action(async (paths: string[], flags: { session?: string; calls?: boolean; json?: boolean }) => {
      const show = await import('../trace/show.ts');
      const rows: (ReturnType<typeof show.summaryOf> & { callRecords?: CallRecord[] })[] = [];
      const details: string[] = [];
      for await (const s of sessionsOf(paths)) {
        if (flags.session !== undefined && s.session.session !== flags.session) continue;
        const summary = show.summaryOf(s);
        rows.push(flags.json && flags.calls ? { ...summary, callRecords: s.calls } : summary);
        if (!flags.json && (flags.calls || rows.length <= 3)) details.push(show.sessionDetail(s));
      }
      if (!rows.length) throw new AcgError('ACG_TRACE_EMPTY', `no session ${flags.session}`);
      if (flags.json) printJson({ sessions: rows });
      else
        process.stdout.write(
          flags.calls || rows.length <= 3 ? `${details.join('\n\n')}\n` : `${show.sessionTable(rows)}\n`,
        );
    });
}

function addValidate(trace: Command): void {
  trace
    .command('validate')
    .description('Names every line or part that is not sound; exit status 65 if there is any.')
    .argument('<traces...>')
    .option('--json', 'one JSON document instead of lines')
    .addHelpText('after', `${INPUTS}\n\nExample:\n  agentcgroup trace validate session.ndjson`)
    .action(async (paths: string[], flags: { json?: boolean }) => {
      const { formatOf, openTraces, validateTrace } = await import('../../trace/index.ts');
      const { stat } = await import('node:fs/promises');
      const findings: { path: string; where: string; why: string }[] = [];
      let sound = 0;
      const found = (path: string, where: string, why: string) => {
        findings.push({ path, where, why });
        if (!flags.json) process.stdout.write(`${path}:${where}: ${why}\n`);
      };
      for (const path of paths) {
        const info = await stat(path).catch((cause) => {
          throw new AcgError('ACG_TRACE', `${path}: ${(cause as Error).message}`, { cause });
        });
        if (info.isFile() && (path.endsWith('.ndjson') || (await formatOf(path)) === 'ndjson')) {
          sound += await validateTrace(path, ({ line, why }) => found(path, String(line), why));
        } else
          for await (const s of openTraces([path], { onSkip: (p, why) => found(p, '', why) })) {
            const { samples, calls, events } = s.report.imported;
            sound += 1 + samples + calls + events;
            for (const f of s.report.leftOut)
              found(s.path, f.where, f.count > 1 ? `${f.why} (${f.count} times)` : f.why);
          }
      }
      if (flags.json) printJson({ soundRecords: sound, findings });
      else process.stderr.write(`${sound} sound records, ${findings.length} findings\n`);
      if (findings.length || !sound) process.exitCode = 65;
    });
}

function addImport(trace: Command): void {
  trace
    .command('import')
    .description('Any known form to an NDJSON trace.')
    .argument('<traces...>')
    .option('-o, --out <file>', 'where to; standard output by default')
    .addHelpText('after', `${INPUTS}\n\nExample:\n  agentcgroup trace import all_images_haiku/ -o haiku.ndjson`)
    .action(async (paths: string[], flags: { out?: string }) => {
      const { recordsOf, writeLines } = await import('../../trace/index.ts');
      let sessions = 0;
      let leftOut = 0;
      async function* lines() {
        for await (const s of sessionsOf(paths)) {
          sessions++;
          for (const f of s.report.leftOut) {
            leftOut += f.count;
            process.stderr.write(`${s.path}: ${f.where}: ${f.why}${f.count > 1 ? ` (${f.count} times)` : ''}\n`);
          }
          for (const r of recordsOf(s)) yield JSON.stringify(r);
        }
      }
      await writeLines(lines(), notAnInput(flags.out, paths));
      process.stderr.write(`${sessions} sessions imported, ${leftOut} parts left out\n`);
    });
}

function addMerge(trace: Command): void {
  trace
    .command('merge')
    .description('Several NDJSON traces as one, in time order.')
    .argument('<files...>')
    .option('-o, --out <file>', 'where to; standard output by default')
    .addHelpText(
      'after',
      `
Lines pass through unchanged, those of newer releases included; what is no JSON object is left out and named.
Files of other forms: agentcgroup trace import first.

Example:
  agentcgroup trace merge monday.ndjson tuesday.ndjson -o both.ndjson`,
    )
    .action(async (paths: string[], flags: { out?: string }) => {
      const { formatOf, mergeTraces, writeLines } = await import('../../trace/index.ts');
      for (const path of paths) {
        const format = await formatOf(path).catch((cause) => {
          throw new AcgError('ACG_TRACE', `${path}: ${(cause as Error).message}`, { cause });
        });
        if (format !== 'ndjson')
          throw new AcgError('ACG_TRACE', `${path} is no NDJSON trace: \`trace import\` makes one`);
      }
      let bad = 0;
      const lines = mergeTraces(paths, (path, { line, why }) => {
        bad++;
        process.stderr.write(`${path}:${line}: left out: ${why}\n`);
      });
      await writeLines(lines, notAnInput(flags.out, paths));
      if (bad) process.exitCode = 65;
    });
}

function addAnonymise(trace: Command): void {
  trace
    .command('anonymise')
    .alias('anonymize')
    .description('Replace ids, names, paths and words by keyed hashes; class and shape of commands stay.')
    .argument('<traces...>')
    .option('-o, --out <file>', 'where to; standard output by default')
    .option('--key-file <file>', 'the secret: the same key gives the same names in every run; random by default')
    .option('--shift-days', 'move all times back by a secret number of whole days')
    .addHelpText(
      'after',
      `${INPUTS}

Kept: sizes, times, durations, counts, exit statuses, agent, model, kernel version, tool names, and in commands the words
everyone knows (pytest, git, commit, ...) with everything between words. All other words become w + 8 hex digits of their
HMAC; feedback and other free text is dropped. Look at the result before you give it away.

Examples:
  agentcgroup trace anonymise session.ndjson -o public.ndjson
  agentcgroup trace anonymise week1/ --key-file ./key --shift-days -o public.ndjson`,
    )
    .action(async (paths: string[], flags: { out?: string; keyFile?: string; shiftDays?: boolean }) => {
      const { anonymiser, recordsOf, writeLines } = await import('../../trace/index.ts');
      const key = flags.keyFile === undefined ? undefined : await readKey(flags.keyFile);
      const change = anonymiser({ ...(key && { key }), ...(flags.shiftDays && { shiftDays: true }) });
      async function* lines() {
        for await (const s of sessionsOf(paths)) for (const r of recordsOf(s)) yield JSON.stringify(change(r));
      }
      await writeLines(lines(), notAnInput(flags.out, paths));
    });
}

function addExport(trace: Command): void {
  trace
    .command('export')
    .description('Parquet: sessions, samples, calls and events, a file each.')
    .argument('<traces...>')
    .requiredOption('-o, --out <folder>', 'the folder for the four files; made if need be')
    .option('--json', 'the row counts as JSON')
    .addHelpText(
      'after',
      `${INPUTS}

Nested fields (node, labels, phasesMs, data, ...) are columns of JSON text.

Examples:
  agentcgroup trace export all_images_haiku/ -o parquet/
  duckdb -c "SELECT tool, count(*), sum(durationMs)/1000 AS s FROM 'parquet/calls.parquet' GROUP BY tool"`,
    )
    .action(async (paths: string[], flags: { out: string; json?: boolean }) => {
      const { exportParquet } = await import('../../trace/index.ts');
      const rows = await exportParquet(sessionsOf(paths), flags.out);
      if (flags.json) printJson({ folder: flags.out, rows });
      else
        for (const [type, n] of Object.entries(rows))
          process.stdout.write(`${flags.out}/${type}s.parquet: ${n} rows\n`);
    });
}

async function readKey(path: string): Promise<Buffer> {
  const { readFile } = await import('node:fs/promises');
  const key = await readFile(path).catch((cause) => {
    throw new AcgError('ACG_USAGE', `--key-file: ${(cause as Error).message}`, { cause });
  });
  if (key.length < 16) throw new AcgError('ACG_USAGE', '--key-file: a key has at least 16 bytes');
  return key;
}

/** The output path, unless it is one of the inputs. */
function notAnInput(out: string | undefined, paths: string[]): string | undefined {
  if (out !== undefined && paths.some((p) => resolve(p) === resolve(out)))
    throw new AcgError('ACG_USAGE', `--out ${out} is an input as well`);
  return out;
}
