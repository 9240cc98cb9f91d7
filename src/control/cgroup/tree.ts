/**
 * The tree's vocabulary (DESIGN section 3): `tenant-<name>/session-<id>/{agent,tool-<n>}` below the root. Paths are
 * relative to the root, with `/` between and none at the ends.
 */
import { AcgError, Name } from '../../model/index.ts';

export const AGENT = 'agent';

function named(prefix: string, name: string): string {
  if (!Name.safeParse(name).success) throw new AcgError('ACG_CGROUP_NAME', JSON.stringify(String(name).slice(0, 200)));
  return prefix + name;
}

/** `tenant-<name>`. Throws ACG_CGROUP_NAME. */
export const tenantName = (tenant: string): string => named('tenant-', tenant);
/** `session-<id>`. Throws ACG_CGROUP_NAME. */
export const sessionName = (session: string): string => named('session-', session);
/** `tool-<n>`, n = 1, 2, ... Throws ACG_CGROUP_NAME. */
export function callName(n: number): string {
  if (!Number.isSafeInteger(n) || n < 1) throw new AcgError('ACG_CGROUP_NAME', `tool-${n}`);
  return `tool-${n}`;
}

/** What a cgroup of the tree is. `below` is what lies deeper inside a leaf (a container the agent runs, say), '' for the leaf itself. */
export type Place =
  | { kind: 'root' }
  | { kind: 'tenant'; tenant: string }
  | { kind: 'session'; tenant: string; session: string }
  | { kind: 'agent'; tenant: string; session: string; below: string }
  | { kind: 'call'; tenant: string; session: string; call: number; below: string };

/** The path of a place, relative to the root. Throws ACG_CGROUP_NAME. */
export function placePath(place: Place): string {
  if (place.kind === 'root') return '';
  const parts = [tenantName(place.tenant)];
  if (place.kind !== 'tenant') parts.push(sessionName(place.session));
  if (place.kind === 'agent') parts.push(AGENT);
  if (place.kind === 'call') parts.push(callName(place.call));
  if ('below' in place && place.below) parts.push(place.below);
  return parts.join('/');
}

/** The place a relative path names, or undefined for what is not ours. Total: any text is fine. */
export function parsePlace(path: string): Place | undefined {
  if (path === '') return { kind: 'root' };
  const [first, second, third, ...rest] = path.split('/');
  const tenant = stripped('tenant-', first);
  if (tenant === undefined) return undefined;
  if (second === undefined) return { kind: 'tenant', tenant };
  const session = stripped('session-', second);
  if (session === undefined) return undefined;
  if (third === undefined) return { kind: 'session', tenant, session };
  if (rest.some((part) => part === '' || part === '.' || part === '..')) return undefined;
  const below = rest.join('/');
  if (third === AGENT) return { kind: 'agent', tenant, session, below };
  const m = /^tool-([1-9]\d{0,15})$/.exec(third);
  if (!m || !Number.isSafeInteger(Number(m[1]))) return undefined;
  return { kind: 'call', tenant, session, call: Number(m[1]), below };
}

function stripped(prefix: string, part: string | undefined): string | undefined {
  if (!part?.startsWith(prefix)) return undefined;
  const name = part.slice(prefix.length);
  return Name.safeParse(name).success ? name : undefined;
}
