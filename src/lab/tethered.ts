import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { labProgram } from './programs.ts';

export interface TetherOptions {
  /** stdout and stderr go to this file. */
  log: string;
  readOnly?: boolean;
  /** The path of a Unix socket that the program finds listening as file descriptor 3. */
  listen?: string;
}

/** A program that dies with this process, however this process dies (tether/), and can be ended early. */
export class Tethered {
  readonly name: string;
  readonly #log: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<string>;

  private constructor(child: ChildProcess, name: string, log: string) {
    this.#child = child;
    this.name = name;
    this.#log = log;
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(`${name} ended with ${signal ?? `status ${code}`}`));
      child.once('error', (error) => resolve(`${name}: ${error.message}`));
    });
  }

  static async start(command: string, args: string[], options: TetherOptions): Promise<Tethered> {
    const words = [String(process.pid)];
    if (options.listen) words.push('--listen', options.listen);
    if (options.readOnly) words.push('--read-only');
    const log = openSync(options.log, 'w');
    try {
      const child = spawn(await labProgram('tether'), [...words, '--', command, ...args], {
        stdio: ['ignore', log, log],
        // a session of its own: Ctrl-C at the terminal is ours to handle
        detached: true,
        cwd: '/',
        // tells whose it is, to people who look at /proc/PID/environ
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', AGENTCGROUP_LAB_RUN: dirname(options.log) },
      });
      return new Tethered(child, command, options.log);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it has ended, with a sentence that says how and what it said last. */
  async exit(): Promise<string> {
    const how = await this.#exit;
    const said = (await readFile(this.#log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' | ');
    return said ? `${how}: ${said}` : how;
  }

  /** Waits until its socket listens. Throws when it ends before, or after 10 s. */
  async listening(socket: string): Promise<void> {
    let over: string | undefined;
    void this.exit().then((how) => (over = how));
    for (const limit = Date.now() + 10_000; !existsSync(socket); await delay(3)) {
      if (over !== undefined) throw new Error(over);
      if (Date.now() > limit) throw new Error(`${this.name} does not listen on ${socket} after 10 s`);
    }
  }

  /** Ends it and waits until it is gone. SIGKILL at once or, with `graceMs`, after a SIGTERM. */
  async end(graceMs = 0): Promise<void> {
    const gone = () => this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === undefined;
    if (gone()) return;
    if (graceMs > 0) {
      this.#child.kill('SIGTERM');
      await Promise.race([this.#exit, delay(graceMs, undefined, { ref: false })]);
    }
    if (!gone()) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}
