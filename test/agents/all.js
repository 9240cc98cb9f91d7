// `npm run test:agents [-- vitest arguments]`: every agent, natively and in the lab.
import { spawnSync } from 'node:child_process';

const env = { AGENTCGROUP_AGENTS: 'all', ...process.env };
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'agents', ...process.argv.slice(2)];
process.exitCode = spawnSync(process.execPath, vitest, { env, stdio: 'inherit' }).status ?? 1;
