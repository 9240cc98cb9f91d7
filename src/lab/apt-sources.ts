/** The machine's apt sources, in both of their written forms (sources.list(5)). Pure. */
export interface AptSource {
  types: string[];
  uris: string[];
  suites: string[];
  components: string[];
}

/** One-line form: `deb [options] URI suite component...`. */
export function parseOneLineSources(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const m = /^\s*(deb|deb-src)\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!m) return [];
    return [{ types: [m[1]!], uris: [m[2]!], suites: [m[3]!], components: words(m[4]!) }];
  });
}

/** deb822 form: paragraphs of `Field: value`, continued by indented lines. A paragraph with `Enabled: no` does not count. */
export function parseDeb822Sources(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n[ \t]*(?:\n[ \t]*)*\n/)
    .map((paragraph) => {
      const fields = new Map<string, string>();
      for (const m of paragraph.matchAll(/^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+.*)*)/gm))
        fields.set(m[1]!.toLowerCase(), m[2]!);
      return fields;
    })
    .filter((fields) => fields.has('uris') && !/^(no|false|without|off|disable)$/i.test(fields.get('enabled') ?? 'yes'))
    .map((fields) => ({
      types: words(fields.get('types') ?? 'deb'),
      uris: words(fields.get('uris')!),
      suites: words(fields.get('suites') ?? ''),
      components: words(fields.get('components') ?? ''),
    }));
}

const words = (text: string) => text.split(/\s+/).filter((w) => w !== '');

/**
 * Where the machine gets Debian itself: the URI of the source that has `codename`'s main component. Other suites are on
 * the same mirror. undefined when there is none (another distribution).
 */
export function debianMirror(sources: readonly AptSource[], codename: string): string | undefined {
  const found = sources.find(
    (s) => s.types.includes('deb') && s.suites.includes(codename) && s.components.includes('main'),
  );
  return found?.uris[0];
}
