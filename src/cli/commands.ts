import type { Command } from 'commander';
import { addLab } from './commands/lab.ts';

/**
 * One file per command under commands/. Each adds itself to the program; what is heavy (the rooms it uses) it imports
 * inside its action, so that `agentcgroup --help` stays quick.
 */
export const commands: ((program: Command) => void)[] = [addLab];
