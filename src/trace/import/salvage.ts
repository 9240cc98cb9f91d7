/** What could be read of a JSON list, whole or cut off. */
export interface Salvaged {
  elements: unknown[];
  /** The rest of the document, where the list is a property of an object and the document is whole. */
  rest: Record<string, unknown>;
  /** Set when the document is damaged: what is wrong, in words. */
  damage?: string;
}

/**
 * The elements of the list that is `text` itself (no key) or its property `key`. A document that does not parse is read
 * element by element: whole objects are taken, and reading stops where an element does not end.
 */
export function salvageList(text: string, key?: string): Salvaged {
  try {
    const whole: unknown = JSON.parse(text);
    if (key === undefined) {
      if (Array.isArray(whole)) return { elements: whole, rest: {} };
      return { elements: [], rest: {}, damage: 'a list was expected' };
    }
    if (isObject(whole) && Array.isArray(whole[key])) {
      const { [key]: elements, ...rest } = whole;
      return { elements: elements as unknown[], rest };
    }
    return { elements: [], rest: isObject(whole) ? whole : {}, damage: `no list "${key}"` };
  } catch (error) {
    const why = (error as Error).message;
    const list = key === undefined ? text.indexOf('[') : text.indexOf('[', text.indexOf(`"${key}"`));
    if (list < 0 || (key !== undefined && !text.includes(`"${key}"`))) return { elements: [], rest: {}, damage: why };
    const elements: unknown[] = [];
    let broken = 0;
    for (const piece of objectsOf(text, list + 1))
      try {
        elements.push(JSON.parse(piece));
      } catch {
        broken++;
      }
    const skipped = broken ? `, ${broken} unreadable elements skipped` : '';
    return {
      elements,
      rest: {},
      damage: `not valid JSON (${why}): the first ${elements.length} elements read${skipped}`,
    };
  }
}

/** The texts of the objects that stand one after another from `from` on, up to the end of the list or of the text. */
function* objectsOf(text: string, from: number): Generator<string> {
  let depth = 0;
  let start = -1;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const c = text[i]!;
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{' || c === '[') {
      if (depth++ === 0) start = i;
    } else if (c === '}' || c === ']') {
      if (depth === 0) return;
      if (--depth === 0) yield text.slice(start, i + 1);
    }
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
