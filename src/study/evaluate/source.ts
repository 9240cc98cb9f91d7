/** Where the calls of a session come from that are not in the scenario itself. */
import { AcgError } from '../../model/index.ts';
import type { Source } from './scenario.ts';

export function sourceFor(_datasetDir: string | null): Source {
  return async (session) => {
    if (session.trace ?? session.synthetic)
      throw new AcgError('ACG_SCENARIO', `${session.name}: traces are not replayed yet`);
    return undefined;
  };
}
