import { copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SHELLS = ['bash', 'sh', 'dash', 'zsh'] as const;

/** The shim's settings, one per line in its `config`. */
export function shimConfig(options: { fail: string; signalExit: string }): string[] {
  return [`fail=${options.fail}`, `signal_exit=${options.signalExit}`];
}

/**
 * The folder through which the shim is reached where no mount namespace can be made: `bin/` with the shim under the name of
 * each shell, `real/` with the shells themselves, `socket`, `config`.
 */
export function makeEnvDir(dir: string, shim: string, socket: string, config: string[]): void {
  mkdirSync(join(dir, 'bin'), { recursive: true, mode: 0o755 });
  mkdirSync(join(dir, 'real'), { mode: 0o755 });
  for (const shell of SHELLS) {
    const real = ['/bin', '/usr/bin', '/usr/local/bin'].map((d) => join(d, shell)).find((path) => existsSync(path));
    if (!real) continue;
    symlinkSync(realpathSync(real), join(dir, 'real', shell));
    copyFileSync(shim, join(dir, 'bin', shell));
  }
  copyFileSync(shim, join(dir, 'bin', 'agentcgroup-prefix'));
  symlinkSync(socket, join(dir, 'socket'));
  writeFileSync(join(dir, 'config'), `${config.join('\n')}\n`);
}

/** Descriptors that whoever started us meant for the agent: those that are not close-on-exec, as a spawn table from 0 up. */
export function inheritedFds(isCloseOnExec: (fd: number) => boolean, open: number[]): number[] {
  const passed = open.filter((fd) => fd <= 2 || !isCloseOnExec(fd));
  return Array.from({ length: Math.max(2, ...passed) + 1 }, (_, fd) => (passed.includes(fd) ? fd : -1));
}
