import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { DaemonClient, daemonPaths } from '../../control/client/index.ts';
import { CallRecords, watchLines } from '../../control/intercept/mcp/index.ts';
import { type ExitStatus, pidfdSendSignal, pipe, type Spawned, spawn, watchExit } from '../../control/native/index.ts';
import { AcgError, type CallStatus } from '../../model/index.ts';
import { findProgram } from '../../sdk/index.ts';

/** How long a server may take to leave when its agent has closed its input; MCP clients wait about as long. */
const LEAVE_MS = 5000;

export interface McpOptions {
  name?: string;
  runDir?: string;
}

/**
 * Runs an MCP server as a long-lived call of the session this process is in, between it and the agent on standard input and
 * output, and returns the exit status. Outside of a session, or without a daemon, the server runs uncontrolled.
 */
export async function serveMcp(server: string[], options: McpOptions): Promise<number> {
  const client = new DaemonClient(
    (options.runDir ? undefined : process.env.AGENTCGROUP_API) ?? daemonPaths(options).apiSocket,
  );
  const call = await open(client, server, options.name);
  const toServer = pipe();
  const fromServer = pipe();
  let child: Spawned;
  try {
    child = start(server, call, [toServer.read, fromServer.write, 2]);
  } catch (error) {
    if (call) await client.endCall(call.call, { exitCode: 127 }).catch(() => {});
    throw error;
  } finally {
    closeSync(toServer.read);
    closeSync(fromServer.write);
  }
  const ended = new Promise<ExitStatus | null>((resolve) => void watchExit(child, resolve));
  const stop = passSignals(child);
  const records = call && new CallRecords(client, call.session);
  const input = pipeline(
    process.stdin,
    watchLines((line) => records?.fromClient(line)),
    new Socket({ fd: toServer.write, readable: false, writable: true }),
  ).catch(() => {}); // a server that is gone takes no more input
  const output = pipeline(
    new Socket({ fd: fromServer.read, readable: true, writable: false }),
    watchLines((line) => records?.fromServer(line)),
    process.stdout,
    { end: false },
  ).catch(() => {}); // an agent that is gone reads no more
  const left = input.then(() => new Promise((resolve) => setTimeout(resolve, LEAVE_MS).unref()));
  await Promise.race([ended, left]);
  pidfdTry(child, 'SIGTERM');
  const status = await ended;
  stop();
  await output;
  await records?.close();
  if (call) await end(client, call, status);
  closeSync(child.pidfd);
  return status?.signal ? 128 + constants.signals[status.signal] : (status?.code ?? 70);
}

/** Undefined where there is no session or no daemon: the server is more use uncontrolled than not at all. */
async function open(client: DaemonClient, server: string[], name: string | undefined): Promise<CallStatus | undefined> {
  const session = process.env.AGENTCGROUP_SESSION;
  if (!session) return say('not in a session of `agentcgroup run`');
  const tool = `mcp-server:${name ?? server[0]!.split('/').at(-1)}`.slice(0, 128);
  try {
    return await client.openCall(session, { tool, via: 'mcp', command: server.join(' ').slice(0, 65_536) });
  } catch (error) {
    return say(error instanceof AcgError ? error.message : String(error));
  }
}

function say(why: string): undefined {
  process.stderr.write(`agentcgroup: the MCP server runs uncontrolled: ${why}\n`);
}

function start(server: string[], call: CallStatus | undefined, fds: number[]): Spawned {
  const file = findProgram(server[0]!, process.env, process.cwd());
  const request = { file, argv: server, env: process.env, fds };
  if (!call) return spawn(request);
  const cgroupFd = openSync(call.cgroup!, 'r');
  try {
    return spawn({ ...request, cgroupFd });
  } finally {
    closeSync(cgroupFd);
  }
}

/** What the server left running goes with it. */
async function end(client: DaemonClient, { call }: CallStatus, status: ExitStatus | null): Promise<void> {
  try {
    const { state } = await client.endCall(call, { exitCode: status?.code ?? null, signal: status?.signal ?? null });
    if (state === 'background') await client.killCall(call);
  } catch (error) {
    // the session may have ended before us
    if (!(error instanceof AcgError)) throw error;
  }
}

function passSignals(child: Spawned): () => void {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  const handlers = signals.map((signal) => ({ signal, pass: () => pidfdTry(child, signal) }));
  for (const { signal, pass } of handlers) process.on(signal, pass);
  return () => {
    for (const { signal, pass } of handlers) process.off(signal, pass);
  };
}

function pidfdTry(child: Spawned, signal: NodeJS.Signals): void {
  try {
    pidfdSendSignal(child.pidfd, signal);
  } catch {
    // it has just ended
  }
}
