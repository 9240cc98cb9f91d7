import type { Command } from 'commander';
import { addCalls } from './commands/calls.ts';
import { addDaemon } from './commands/daemon.ts';
import { addDoctor } from './commands/doctor.ts';
import { addLab } from './commands/lab.ts';
import { addRun } from './commands/run.ts';
import { addSessions } from './commands/sessions.ts';

/**
 * One file per command under commands/. Each adds itself to the program; what is heavy (the rooms it uses) it imports
 * inside its action, so that `agentcgroup --help` stays quick.
 */
export const commands: ((program: Command) => void)[] = [
  addRun,
  addSessions,
  addCalls,
  addDaemon,
  // instruments
  addDoctor,
  addLab,
];
