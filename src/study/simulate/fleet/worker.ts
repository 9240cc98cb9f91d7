/** A worker thread: one job after the other, as they are sent. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Basis } from './basis.ts';
import { type Job, runJob } from './pool.ts';

parentPort!.on('message', (job: Job) => parentPort!.postMessage(runJob(job, workerData as Basis)));
