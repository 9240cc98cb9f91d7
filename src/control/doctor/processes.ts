import { spawnSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { type Capability, no, unknown, yes } from '../../model/index.ts';
import { loadAddon, pidfdOpen, pidfdSendSignal, SyscallError } from '../native/index.ts';

/** What is needed to start and to hold processes: the native addon, pidfds, namespaces. Each is tried on real processes. */
export function processRows(): Capability[] {
  return [
    attempt('native addon', () => {
      loadAddon();
      return yes('native addon');
    }),
    attempt('pidfd', () => {
      const pidfd = pidfdOpen(process.pid);
      try {
        pidfdSendSignal(pidfd, 0);
      } finally {
        closeSync(pidfd);
      }
      return yes('pidfd');
    }),
    namespace(
      'mount namespace',
      ['--mount', '--propagation', 'private'],
      'run as root, or with CAP_SYS_ADMIN; without it the shim is offered through SHELL, PATH and BASH_ENV',
    ),
    namespace(
      'user namespace',
      ['--user', '--map-root-user'],
      'sysctl user.max_user_namespaces (only rootless use needs them)',
    ),
  ];
}

/** util-linux's unshare makes the namespace and ends at once. */
function namespace(name: string, flags: string[], remedy: string): Capability {
  const { status, error, stderr } = spawnSync('unshare', [...flags, 'true'], { encoding: 'utf8', timeout: 10_000 });
  if (error) return unknown(name, `unshare: ${error.message}`, 'install util-linux');
  return status === 0 ? yes(name) : no(name, stderr.trim() || `unshare exited with ${status}`, remedy);
}

function attempt(name: string, check: () => Capability): Capability {
  try {
    return check();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof SyscallError)
      return no(name, text, 'a newer kernel, or a container whose seccomp filter allows it');
    return name === 'native addon' ? no(name, text, 'npm run setup') : unknown(name, text);
  }
}
