/** The files of the native replayer (native/replay): plans and shapes are written, logs are read. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AcgError } from '../../model/index.ts';
import { parseLog, type SessionLog } from './log.ts';
import { isLive, type LiveCall, type ReplaySession, type ShapedCall } from './session.ts';

/** The replayer as the package brings it. Throws ACG_NATIVE_MISSING. */
export function replayProgram(): string {
  const url = new URL(`../../../prebuilt/linux-${process.arch}/agentcgroup-replay`, import.meta.url);
  if (!existsSync(url)) throw new AcgError('ACG_NATIVE_MISSING', url.pathname);
  return url.pathname;
}

export interface ReplayOptions {
  /** A call follows its own clock and catches up, or does everything in full whenever it gets there. */
  mode: 'time' | 'work';
  /** What counts as a pause, ms. */
  pauseMs: number;
  /** A folder on a file system whose page cache can be given back (no tmpfs). Absent: no call may read files. */
  cacheDir?: string | undefined;
}

/** Words of a command that may stand in a script as they are. */
const SAFE_WORD = /^[A-Za-z0-9._=:@+/-]+$/;
/** Page cache of one call at most: calls of a session read different stretches of one sparse file. */
const STRETCH = 2 ** 32;

/** The sessions of one run, as files in `dir`. */
export class ReplayFiles {
  readonly dir: string;
  readonly #options: ReplayOptions;
  readonly #program: string;

  constructor(dir: string, options: ReplayOptions) {
    this.dir = dir;
    this.#options = options;
    mkdirSync(join(dir, 'bin'), { recursive: true });
    // a copy beside the plans: where the package is on a shared folder of a guest, starting a call would wait for the host
    this.#program = join(dir, 'agentcgroup-replay');
    copyFileSync(replayProgram(), this.#program);
  }

  /** The command line of the session's agent; with `cgroup` it puts itself there first. Throws ACG_SCENARIO. */
  write(session: ReplaySession, cgroup?: string): string[] {
    const { dir } = this;
    const lines = [
      `log ${join(dir, `${session.name}.log`)}`,
      `go ${this.go}`,
      `start ${session.startAfter}`,
      `anon ${session.agent.anon}`,
      ...(session.agent.file > 0 ? [`file ${session.agent.file} ${this.#cacheFile(session.name, 'agent')}`] : []),
      'set',
      ...session.calls.map((call, n) => this.#call(session.name, call, n)),
    ];
    const plan = join(dir, `${session.name}.plan`);
    writeFileSync(plan, `${lines.join('\n')}\n`);
    return [this.#program, 'agent', plan, ...(cgroup === undefined ? [] : [cgroup])];
  }

  get go(): string {
    return join(this.dir, 'go');
  }

  /** What the session's processes have noted so far. */
  read(session: string): SessionLog {
    const text = (name: string) => (existsSync(join(this.dir, name)) ? readFileSync(join(this.dir, name), 'utf8') : '');
    return parseLog(text(`${session}.log`), text(`${session}.calls`));
  }

  #call(session: string, call: ShapedCall | LiveCall, n: number): string {
    if (isLive(call)) {
      const script = join(this.dir, `${session}-${n}.sh`);
      // the command itself, for control to see, as agents write it
      // on a line of its own: `cd DIR && server &` puts a shell into the background that holds the call's output until the server ends
      writeFileSync(script, `cd ${quoted(call.cwd)} || exit\n${call.live}`);
      return `call ${n} ${Math.round(call.after)} 0 1 ${hint(call.hint)} @${script}`;
    }
    const words = call.command.split(/\s+/);
    if (!words.every((word) => SAFE_WORD.test(word)))
      throw new AcgError(
        'ACG_SCENARIO',
        `${session}, call ${n}: ${JSON.stringify(call.command)} has more than plain words`,
      );
    const program = join(this.dir, 'bin', basename(words[0]!));
    if (!existsSync(program)) symlinkSync(this.#program, program);
    const shape = join(this.dir, `${session}-${n}.shape`);
    writeFileSync(shape, this.#shape(session, call, n));
    const script = [program, ...words.slice(1), shape, '%s'].join(' ');
    return `call ${n} ${Math.round(call.after)} ${call.retries} ${call.smaller} ${hint(call.hint)} ${script}`;
  }

  #shape(session: string, call: ShapedCall, n: number): string {
    const { mode, pauseMs } = this.#options;
    const reads = Math.max(0, ...call.shape.map((p) => p.file));
    return [
      `log ${join(this.dir, `${session}.calls`)}`,
      `n ${n}`,
      `mode ${mode}`,
      `workers ${call.workers}`,
      `pause ${pauseMs}`,
      ...(reads > 0 ? [`file ${n * STRETCH} ${this.#cacheFile(session, 'calls')}`] : []),
      ...call.shape.map((p) => `point ${Math.round(p.at)} ${Math.round(p.anon)} ${Math.round(p.file)} ${p.cpu}`),
      '',
    ].join('\n');
  }

  #cacheFile(session: string, of: string): string {
    const { cacheDir } = this.#options;
    if (cacheDir === undefined)
      throw new AcgError('ACG_SCENARIO', `${session} reads files, and there is no folder for them`);
    mkdirSync(cacheDir, { recursive: true });
    const file = join(cacheDir, `${session}.${of}`);
    // sparse: it takes no room on the disk, and reads into the page cache as any other file does
    if (!existsSync(file)) {
      writeFileSync(file, '');
      truncateSync(file, 1024 * STRETCH);
    }
    return file;
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function hint(text: string | undefined): string {
  if (text === undefined) return '-';
  if (/\s/.test(text) || text.length > 200)
    throw new AcgError('ACG_SCENARIO', `hint ${JSON.stringify(text)} has blanks in it`);
  return text;
}
