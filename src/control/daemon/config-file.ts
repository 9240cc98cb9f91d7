/**
 * The configuration from its files: `agentcgroup.yaml` and, beside it, the drop-ins `agentcgroup.d/*.yaml` in the order of
 * their names. Each file is checked on its own, so that an error names its file; then they are merged:
 *   maps merge key by key; lists and single values replace; `key: null` takes a key back to its default.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { AcgError, type Config, parseConfig } from '../../model/index.ts';

const require = createRequire(import.meta.url);

export const CONFIG_FILE = '/etc/agentcgroup/agentcgroup.yaml';
/** No sane configuration is larger; a YAML bomb is. */
const MAX_BYTES = 2 ** 20;

export interface LoadedConfig {
  config: Config;
  /** The merged files as written, before defaults. */
  written: Record<string, unknown>;
  /** What was read, in order. Empty: there is no file, all is default. */
  files: string[];
}

type YamlMap = Record<string, unknown>;
const isMap = (v: unknown): v is YamlMap => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Merges `over` into `base` by the rules above. Neither is changed. */
export function mergeConfig(base: YamlMap, over: YamlMap): YamlMap {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(merged, key) ? merged[key] : undefined;
    if (value === null) delete merged[key];
    else merged[key] = isMap(value) ? mergeConfig(isMap(below) ? below : {}, value) : value;
  }
  return merged;
}

/** Reads the text of one file, named `file` in errors: total over all strings, a map or ACG_CONFIG. */
export function readConfigText(text: string, file: string): YamlMap {
  if (text.length > MAX_BYTES) throw new AcgError('ACG_CONFIG', `${file}: larger than 1 MiB`);
  // read only when there is a file: most daemons start without one, and its many modules take their time
  const { parseDocument } = require('yaml') as typeof import('yaml');
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true, stringKeys: true });
  const [problem] = document.errors;
  if (problem)
    throw new AcgError('ACG_CONFIG', `${file}: ${problem.message.split('\n')[0]!.slice(0, 200).replace(/:$/, '')}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new AcgError('ACG_CONFIG', `${file}: ${(cause as Error).message}`, { cause });
  }
  if (value !== null && !isMap(value)) throw new AcgError('ACG_CONFIG', `${file}: expected a map of keys at the top`);
  // null keys are for the merge: alone they mean the default
  parseConfig(mergeConfig({}, value ?? {}), file);
  return value ?? {};
}

function dropIns(file: string): string[] {
  const folder = join(dirname(file), `${basename(file, extname(file))}.d`);
  try {
    return readdirSync(folder)
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new AcgError('ACG_CONFIG', `${folder}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Loads `file`, or the default place if it is not named; there a missing file means defaults (and drop-ins), while a named
 * file must exist. Throws ACG_CONFIG.
 */
export function loadConfig(file?: string): LoadedConfig {
  const main = file ?? CONFIG_FILE;
  const files: string[] = [];
  let written: YamlMap = {};
  for (const path of [main, ...dropIns(main)]) {
    try {
      written = mergeConfig(written, readConfigText(readFileSync(path, 'utf8'), path));
      files.push(path);
    } catch (error) {
      if (error instanceof AcgError) throw error;
      if (path === main && file === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new AcgError('ACG_CONFIG', `${path}: ${(error as Error).message}`, { cause: error });
    }
  }
  return { config: parseConfig(written, files.length > 1 ? 'all files together' : (files[0] ?? '')), written, files };
}
