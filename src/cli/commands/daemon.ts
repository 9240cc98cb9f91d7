import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Daemon } from '../../control/daemon/index.ts';
import type { SchedulerChoice, TierChoice } from '../../model/index.ts';
import { version } from '../version.ts';

interface Options {
  runDir?: string;
  traceDir?: string;
  cgroupRoot?: string;
  config?: string;
  dryRun?: boolean;
  tier?: TierChoice;
  scheduler?: SchedulerChoice;
  memory?: string;
  idleExit?: number;
  logLevel: string;
}

export function addDaemon(program: Command): void {
  program
    .command('daemon')
    .description('Run the daemon in the foreground: it owns the cgroup tree and serves shims and the API.')
    .option('--cgroup-root <dir>', 'where our tree stands (default: a delegated slice, else the first cgroup2 mount)')
    .option('--run-dir <dir>', 'folder of the sockets (default: /run/agentcgroup)')
    .option('--trace-dir <dir>', 'folder of the traces (default: /var/lib/agentcgroup/traces)')
    .option('--memory <size>', 'memory.max of the whole tree, for all tenants together (e.g. 48G)')
    .option('--config <file>', 'configuration (default: /etc/agentcgroup/agentcgroup.yaml, if there)')
    .addOption(
      new Option(
        '--tier <tier>',
        'what keeps the policy: BPF programs where the kernel takes them, or cgroup files alone',
      )
        .choices(['auto', 'cgroup', 'sched-ext'])
        .default(undefined, 'as configured: auto'),
    )
    .addOption(
      new Option('--scheduler <mode>', 'whose tasks our sched_ext scheduler runs: all, those of tool calls, none')
        .choices(['full', 'partial', 'off'])
        .default(undefined, 'as configured: partial'),
    )
    .option('--dry-run', 'decide and log everything, do nothing')
    .option('--idle-exit <seconds>', 'leave after so long without a session, and take the empty tree along', seconds)
    .addOption(
      new Option('--log-level <level>', 'how much is logged')
        .choices(['trace', 'debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Stopping it (SIGTERM, SIGINT, even kill -9) harms no session: limits stay in the kernel, calls run on, and the next
daemon takes over what it finds.

Examples:
  agentcgroup daemon
  agentcgroup daemon --memory 48G --log-level debug
  agentcgroup daemon --tier cgroup                 # no BPF programs
  agentcgroup daemon --tier sched-ext --scheduler full
  agentcgroup daemon --cgroup-root /sys/fs/cgroup/agents --run-dir /run/agents`,
    )
    .action(async (options: Options) => {
      const { memoryOf } = await import('../memory.ts');
      const nodeMemoryBytes = options.memory === undefined ? undefined : memoryOf(options.memory, '--memory');
      const [{ daemonPaths, loadConfig, startDaemon }, { pino }] = await Promise.all([
        import('../../control/daemon/index.ts'),
        import('pino'),
      ]);
      const log = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
      const configure = () => {
        const { config } = loadConfig(options.config);
        return {
          ...config,
          ...(options.dryRun && { dryRun: true }),
          ...(options.tier && { tier: options.tier }),
          ...(options.scheduler && { scheduler: options.scheduler }),
        };
      };
      const daemon = await startDaemon({
        configure,
        paths: daemonPaths({ ...options, traceDir: options.traceDir ?? configure().record.directory }),
        version,
        log,
        ...(options.cgroupRoot !== undefined && { cgroupRoot: options.cgroupRoot }),
        ...(nodeMemoryBytes !== undefined && { nodeMemoryBytes }),
      });
      const stop = (why: NodeJS.Signals | 'idle') => {
        log.info(`${why}: leaving; sessions, if any, go on for the next daemon`);
        daemon.close().then(
          () => process.exit(0),
          (error) => {
            log.error({ err: error }, 'could not stop cleanly');
            process.exit(70);
          },
        );
      };
      if (options.idleExit) whenIdle(daemon, options.idleExit, () => stop('idle'));
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
      process.on('SIGHUP', () => {
        try {
          daemon.reconfigure();
          log.info('configuration read again');
        } catch (error) {
          log.error({ err: error }, 'the configuration stays as it was');
        }
      });
    });
}

function seconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number of seconds is expected');
  return Number(text);
}

/** Calls `leave` once no session has been there for `seconds`. */
function whenIdle(daemon: Daemon, seconds: number, leave: () => void): void {
  let idle = 0;
  const timer = setInterval(() => {
    idle = daemon.health().sessions === 0 ? idle + 1 : 0;
    if (idle < seconds) return;
    clearInterval(timer);
    leave();
  }, 1000);
}
