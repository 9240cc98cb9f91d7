/** What to record: a session of ours, any cgroup, a container, or a process with its children. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { AcgError, Name } from '../../model/index.ts';
import { Cgroup, locateRoot, sessionName } from '../cgroup/index.ts';
import { containerPid } from './container.ts';
import { type Directories, directoriesAt, directoriesOf, hierarchies, isMachine, mainDirectory } from './hierarchy.ts';
import { Process, ProcessSet } from './processes.ts';

export interface Target {
  /** A name for the trace: letters, digits, dot, dash, underscore. */
  name: string;
  /** For people: what is recorded, and how. */
  what: string;
  tenant: string;
  argv?: string[];
  /** The cgroup, by controller; absent: the process tree of `pid`. */
  cgroup?: Directories;
  /** Is the cgroup a session of ours, with the leaves `agent` and `tool-<n>`? */
  session: boolean;
  pid?: number;
}

export interface TargetOptions {
  session?: string;
  cgroup?: string;
  container?: string;
  pid?: number;
  /** Where the tree of our sessions is, when it is not where the daemon puts it by itself. */
  cgroupRoot?: string;
}

/** Throws ACG_NO_SESSION or ACG_RECORD_TARGET when there is nothing of that name. */
export function findTarget(options: TargetOptions): Target {
  if (options.session !== undefined) return sessionTarget(options.session, options.cgroupRoot);
  if (options.cgroup !== undefined) return cgroupTarget(options.cgroup);
  if (options.container !== undefined) return containerTarget(options.container);
  if (options.pid !== undefined) return pidTarget(options.pid);
  throw new AcgError('ACG_USAGE', 'name what to record: --session, --cgroup, --container or --pid');
}

function sessionTarget(session: string, cgroupRoot: string | undefined): Target {
  const root = locateRoot(cgroupRoot === undefined ? {} : { cgroupRoot }).cgroup;
  const found = root.children().find((t) => existsSync(join(t.path, sessionName(session))));
  if (!found) throw new AcgError('ACG_NO_SESSION', `${session} below ${root.path}`);
  const path = join(found.path, sessionName(session));
  const kept = noteOf(new Cgroup(path), 'session');
  return {
    name: session,
    what: `session ${session} (${path})`,
    tenant: found.name.replace(/^tenant-/, ''),
    ...(Array.isArray(kept.argv) && { argv: kept.argv.map(String) }),
    cgroup: directoriesAt(path, hierarchies())!,
    session: true,
  };
}

function cgroupTarget(path: string): Target {
  const h = hierarchies();
  if (isMachine(path, h))
    throw new AcgError('ACG_RECORD_TARGET', `${path} is the whole machine: name a cgroup below it`);
  const directories = isDirectory(path) ? directoriesAt(path, h) : undefined;
  if (!directories) throw new AcgError('ACG_RECORD_TARGET', `${path} is not a directory of a cgroup hierarchy`);
  return {
    name: nameFrom(`cgroup-${basename(resolve(path))}`),
    what: `cgroup ${path}`,
    tenant: 'recorded',
    cgroup: directories,
    session: /^session-/.test(basename(resolve(path))) && existsSync(join(path, 'agent')),
  };
}

function containerTarget(id: string): Target {
  const { pid, component } = containerPid(id);
  const directories = directoriesOf(partNamed(component, readFileSync(`/proc/${pid}/cgroup`, 'latin1')), hierarchies());
  if (!mainDirectory(directories))
    throw new AcgError('ACG_RECORD_TARGET', `container ${id} (process ${pid}) has no cgroup of its own`);
  return {
    name: nameFrom(`container-${id.slice(0, 12)}`),
    what: `container ${id} (${mainDirectory(directories)})`,
    tenant: 'recorded',
    cgroup: directories,
    session: false,
  };
}

/**
 * Of /proc/PID/cgroup the hierarchies in which the container has a cgroup, up to the part of the path that names it: its
 * processes may sit in cgroups of their own below, and in other hierarchies in cgroups they share with others.
 */
function partNamed(component: string, procCgroup: string): string {
  const lines = procCgroup.split('\n').filter((line) => line.includes(component));
  return lines.map((line) => line.slice(0, (line.indexOf('/', line.indexOf(component)) + 1 || 1e9) - 1)).join('\n');
}

function pidTarget(pid: number): Target {
  const p = Process.open(pid);
  if (!p) throw new AcgError('ACG_RECORD_TARGET', `there is no process ${pid}`);
  const argv = p.argv();
  const name = nameFrom(`pid-${pid}-${basename(argv[0] || p.stat.comm)}`);
  p.close();
  const directories = directoriesOf(readFileSync(`/proc/${pid}/cgroup`, 'latin1'), hierarchies());
  const main = mainDirectory(directories);
  const own = main !== undefined && isOwn(main, pid);
  return {
    name,
    what: own ? `process ${pid} by its own cgroup ${main}` : `process ${pid} and its children`,
    tenant: 'recorded',
    argv,
    ...(own && { cgroup: directories }),
    session: false,
    pid,
  };
}

/** Does the cgroup hold this process and its descendants and nobody else? */
function isOwn(directory: string, pid: number): boolean {
  const tree = new ProcessSet(() => [pid], true);
  tree.refresh();
  const members = new Set(tree.members.keys());
  tree.close();
  return processesBelow(directory).every((p) => members.has(p));
}

/** Pids in a cgroup and those below it, of either version. */
export function processesBelow(directory: string): number[] {
  const found: number[] = [];
  try {
    for (const line of readFileSync(join(directory, 'cgroup.procs'), 'latin1').split('\n'))
      if (Number(line) > 0) found.push(Number(line));
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) found.push(...processesBelow(join(directory, entry.name)));
  } catch (error) {
    // removed meanwhile, or threaded (which lists no processes)
    if (!/^(?:ENOENT|ENODEV|EOPNOTSUPP)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  return found;
}

/** What the daemon has noted on a cgroup; empty where there is none, or extended attributes cannot be read. */
export function noteOf(cgroup: Cgroup, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(cgroup.note(name) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function nameFrom(text: string): string {
  return Name.parse(text.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 64));
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
