import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = process.env.AGENTCGROUP_SHARED ?? resolve(import.meta.dirname, '../../../../shared');
/** The public data set, where the machine has it. */
export const traces = resolve(root, 'traces');
export const haveTraces = existsSync(resolve(traces, 'CLAIMS.json'));
export const skipText = `the AgentCgroup data set is not at ${traces} (set AGENTCGROUP_SHARED): skipped`;
