import { copyFileSync, existsSync, linkSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the shim reads from `config` in its directory. */
export interface ShimConfig {
  /** Without a daemon: run the command uncontained, or refuse it with status 126. */
  fail: 'open' | 'closed';
  /** When a command died of signal N: exit with 128+N, or die of the same signal. */
  signalExit: '128' | 'same';
  /** How long a daemon may take to say anything, milliseconds. */
  waitMs: number;
}

export const defaultShimConfig: ShimConfig = { fail: 'open', signalExit: '128', waitMs: 3000 };

/** The lines of `config`, joined by newlines; joined by semicolons they are the --config of agentcgroup-enter. */
export function shimConfigLines(config: ShimConfig): string[] {
  return [`fail=${config.fail}`, `signal_exit=${config.signalExit}`, `wait_ms=${config.waitMs}`];
}

/** Inside another session the real shells are what its shim has kept. */
const shellFolders = ['/run/agentcgroup/shim/real', '/usr/local/bin', '/usr/bin', '/bin'];

/** The real program behind a shell's name on this machine, or undefined. */
export function findShell(name: string): string | undefined {
  const path = shellFolders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
  return path && realpathSync(path);
}

/** bash -c in a session without a mount namespace: goes through the shim once, the guard ends the recursion. */
const bashEnvironment = `# Sourced by every non-interactive bash (BASH_ENV) of a session that agentcgroup could not give a mount namespace.
if [[ -z \${AGENTCGROUP_SHELL_GUARD-} && -n \${BASH_EXECUTION_STRING+x} ]]; then
  export AGENTCGROUP_SHELL_GUARD=1
  exec -a "$BASH" "$AGENTCGROUP_SHIM_DIR/bin/bash" -c "$BASH_EXECUTION_STRING" "$0" "$@"
fi
`;

/**
 * Prepares a shim directory on disk, for sessions that get the shim through their environment: bin/ with the shim under
 * the name of every shell (hard links: the shim knows itself by its own path), real/ with links to the real ones, the
 * socket, the configuration and a BASH_ENV file. Shells that the machine does not have are left out.
 */
export function prepareShimDirectory(
  directory: string,
  { shim, socket, shells, config }: { shim: string; socket: string; shells: readonly string[]; config: ShimConfig },
): void {
  for (const folder of ['bin', 'real']) mkdirSync(join(directory, folder), { recursive: true, mode: 0o755 });
  const install = (name: string) => {
    const path = join(directory, 'bin', name);
    try {
      linkSync(shim, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV' && (error as NodeJS.ErrnoException).code !== 'EPERM')
        throw error;
      copyFileSync(shim, path);
    }
  };
  for (const shell of shells) {
    const real = findShell(shell);
    if (!real) continue;
    install(shell);
    symlinkSync(real, join(directory, 'real', shell));
  }
  install('agentcgroup-prefix');
  symlinkSync(socket, join(directory, 'socket'));
  writeFileSync(join(directory, 'config'), `${shimConfigLines(config).join('\n')}\n`);
  writeFileSync(join(directory, 'bash-env'), bashEnvironment);
}
