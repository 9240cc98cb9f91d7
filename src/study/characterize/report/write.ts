import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csv, svgOf } from '../../report/index.ts';
import { figures } from '../figures/all.ts';
import { timelineFigure, timelines } from '../figures/timeline.ts';
import type { Store } from '../store.ts';
import { type Study, taskFigures } from '../study.ts';
import { findingsCsv, page } from './page.ts';

export interface Written {
  report: string;
  findings: string;
  figures: string[];
}

/** Writes `report.html`, `findings.json`, `findings.csv`, and `figures/<id>.svg` and `.csv` into `dir`, which is made. */
export async function writeReport(
  store: Store,
  study: Study,
  dir: string,
  onProgress?: (text: string) => void,
): Promise<Written> {
  const drawings = join(dir, 'figures');
  await mkdir(drawings, { recursive: true });
  const sessions = await timelines(store);
  const all = [...(await figures(store, study)), timelineFigure(sessions[0])];
  const drawn: string[] = [];
  for (const [i, figure] of all.entries()) {
    onProgress?.(`figure ${i + 1} of ${all.length}`);
    const svg = svgOf(figure, 840);
    if (svg === null) continue;
    drawn.push(figure.id);
    await writeFile(join(drawings, `${figure.id}.svg`), svg);
    await writeFile(join(drawings, `${figure.id}.csv`), csv(figure));
  }
  const report = join(dir, 'report.html');
  const findings = join(dir, 'findings.json');
  onProgress?.('writing');
  await writeFile(report, await page(study, all.slice(0, -1), sessions));
  await writeFile(join(dir, 'findings.csv'), findingsCsv(study.findings));
  await writeFile(findings, jsonOf(store, study));
  return { report, findings, figures: drawn };
}

/** The study as JSON text, piece by piece: there may be many tasks. */
export async function* jsonOf(store: Store, study: Study): AsyncGenerator<string> {
  const { findings, derived, gathered, ...rest } = study;
  const head = {
    schema: 1,
    ...rest,
    sessions: gathered.sessions,
    used: gathered.used,
    density: derived.density,
    predictions: derived.predictions,
    reactions: derived.reactions,
    findings: Object.fromEntries(findings.map(({ id, ...f }) => [id, f])),
  };
  yield `${JSON.stringify(head).slice(0, -1)},"tasks":[`;
  let first = true;
  for await (const task of taskFigures(store)) {
    yield `${first ? '' : ','}${JSON.stringify(task)}`;
    first = false;
  }
  yield ']}\n';
}
