import type { Command } from 'commander';

type Add = (program: Command) => void;

/**
 * One file per command, read only when that command is asked for (or all of them for --help), so that each starts quickly.
 * The order is that of --help.
 */
export const commands: Record<string, () => Promise<Add>> = {
  run: async () => (await import('./commands/run.ts')).addRun,
  sessions: async () => (await import('./commands/sessions.ts')).addSessions,
  calls: async () => (await import('./commands/calls.ts')).addCalls,
  explain: async () => (await import('./commands/explain.ts')).addExplain,
  install: async () => (await import('./commands/install.ts')).addInstall,
  uninstall: async () => (await import('./commands/install.ts')).addUninstall,
  hook: async () => (await import('./commands/hook.ts')).addHook,
  mcp: async () => (await import('./commands/mcp.ts')).addMcp,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  daemon: async () => (await import('./commands/daemon.ts')).addDaemon,
  config: async () => (await import('./commands/config.ts')).addConfig,
  demo: async () => (await import('./commands/demo.ts')).addDemo,
  record: async () => (await import('./commands/record.ts')).addRecord,
  trace: async () => (await import('./commands/trace.ts')).addTrace,
  bpf: async () => (await import('./commands/bpf.ts')).addBpf,
  characterize: async () => (await import('./commands/characterize.ts')).addCharacterize,
  evaluate: async () => (await import('./commands/evaluate.ts')).addEvaluate,
  simulate: async () => (await import('./commands/simulate.ts')).addSimulate,
  dataset: async () => (await import('./commands/dataset.ts')).addDataset,
  lab: async () => (await import('./commands/lab.ts')).addLab,
};
