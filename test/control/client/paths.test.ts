import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { daemonPaths } from '../../../src/control/client/index.ts';

test('paths are absolute: daemon, shims and agents have working folders of their own', () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('AGENTCGROUP_RUN_DIR', 'there');
  const here = process.cwd();
  expect(daemonPaths({ runDir: 'run', traceDir: '../traces' })).toEqual({
    runDir: join(here, 'run'),
    shimSocket: join(here, 'run/shim.sock'),
    apiSocket: join(here, 'run/api.sock'),
    traceDir: join(here, '../traces'),
  });
  expect(daemonPaths().runDir).toBe(join(here, 'there'));
  vi.stubEnv('AGENTCGROUP_RUN_DIR', '');
  expect(daemonPaths().runDir).not.toBe(here);
  expect(daemonPaths({ runDir: '/run/agents' }).apiSocket).toBe('/run/agents/api.sock');
});
