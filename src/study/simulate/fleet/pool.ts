/** Jobs over worker threads. What comes out does not depend on their number. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Basis } from './basis.ts';
import { type CellJob, type CellResult, runCell } from './cell.ts';
import { type DensityJob, runDensity } from './density.ts';
import type { Tally } from './tally.ts';

export type Job = DensityJob | CellJob;
export type JobResult = Tally | CellResult;

export const runJob = (job: Job, basis: Basis): JobResult =>
  job.kind === 'cell' ? runCell(job, basis) : runDensity(job, basis);

/**
 * Runs all jobs; results in their order. `workers`: threads, by default as many as there are processors; 0: in this one.
 * `onDone` is told how many are done. Rejects with the first error of a worker, after ending all others.
 */
export async function runJobs<J extends Job>(
  jobs: readonly J[],
  basis: Basis,
  options: { workers?: number; onDone?: (done: number, of: number) => void } = {},
): Promise<(J extends CellJob ? CellResult : Tally)[]> {
  type R = J extends CellJob ? CellResult : Tally;
  const results = new Array<R>(jobs.length);
  let done = 0;
  const told = (index: number, result: R) => {
    results[index] = result;
    options.onDone?.(++done, jobs.length);
  };
  const count = Math.min(options.workers ?? availableParallelism(), jobs.length);
  if (count === 0) {
    for (const [i, job] of jobs.entries()) told(i, runJob(job, basis) as R);
    return results;
  }
  // the built package has .js files, the sources .ts
  const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(file, { workerData: basis }));
  let next = 0;
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            let index = -1;
            const give = () => {
              if (next >= jobs.length) return resolve();
              index = next++;
              worker.postMessage(jobs[index]);
            };
            worker.on('message', (result: R) => {
              told(index, result);
              give();
            });
            worker.on('error', reject);
            worker.on('exit', (code) => reject(new Error(`a simulation worker ended early with code ${code}`)));
            give();
          }),
      ),
    );
  } finally {
    await Promise.all(workers.map((w) => w.terminate()));
  }
  return results;
}
