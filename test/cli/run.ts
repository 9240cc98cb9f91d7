import { spawn } from 'node:child_process';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../../bin/agentcgroup.js');

/** `agentcgroup` with these arguments, in `dir`, which is also its folder for temporary files; killed after 90 s. */
export function cli(dir: string, ...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: dir,
    env: { ...process.env, TMPDIR: dir },
    timeout: 90_000,
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (d) => {
    out += d;
  });
  child.stderr.on('data', (d) => {
    err += d;
  });
  return new Promise((done) => child.on('close', (status) => done({ status, out, err })));
}
