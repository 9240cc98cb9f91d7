import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** What a kernel of ours is made of: `kernel/` of the project. */
export interface KernelSeries {
  /** The Debian package with the source it is for, as `linux-source-7.3`. */
  source: string;
  patches: { name: string; text: string }[];
  /** Kconfig lines on top of `allnoconfig`. */
  config: string;
  /** Hash of patches and configuration: a kernel made of another one is another kernel. */
  recipe: string;
}

const kernelFolder = resolve(import.meta.dirname, '../../kernel');

/** Reads the series; `debug` adds what watches locks and memory. */
export async function readSeries(debug: boolean, folder = kernelFolder): Promise<KernelSeries> {
  const text = (...path: string[]) => readFile(join(folder, ...path), 'utf8');
  const names = (await readdir(join(folder, 'patches'))).filter((name) => name.endsWith('.patch')).sort();
  const patches = await Promise.all(names.map(async (name) => ({ name, text: await text('patches', name) })));
  const config = mergeConfig(await text('config'), debug ? await text('config.debug') : '');
  const source = (await text('source')).trim();
  const recipe = createHash('sha256');
  for (const part of [source, config, ...patches.flatMap((p) => [p.name, p.text])]) recipe.update(`${part}\0`);
  return { source, patches, config, recipe: recipe.digest('hex').slice(0, 12) };
}

/** The option a line of a configuration is about; undefined for comments and empty lines. */
const optionOf = (line: string) => /^(?:# )?(CONFIG_\w+)(?:=| is not set$)/.exec(line)?.[1];

/** Two fragments as one: where both speak of an option, the second counts. Pure. */
export function mergeConfig(first: string, second: string): string {
  const later = new Set(second.split('\n').map(optionOf));
  const kept = first.split('\n').filter((line) => optionOf(line) === undefined || !later.has(optionOf(line)));
  return `${kept.join('\n').trimEnd()}\n${second}`;
}

/** Lines of a fragment that did not make it into the configuration the kernel made of it. Pure. */
export function lostOptions(fragment: string, config: string): string[] {
  const got = new Map(config.split('\n').map((line) => [optionOf(line), line]));
  return fragment.split('\n').filter((line) => {
    const option = optionOf(line);
    if (option === undefined) return false;
    // an option that is off is not mentioned where nothing asks for it
    return line.startsWith('#') ? got.has(option) && got.get(option) !== line : got.get(option) !== line;
  });
}
