import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import {
  csv,
  csvLink,
  document,
  escapeXml as esc,
  type Figure,
  figurePart,
  inScript,
  section,
  shown,
  table,
} from '../../report/index.ts';
import { everything } from '../define/evaluate.ts';
import { evaluationSet } from '../evaluation.ts';
import { kindColours, type TimelineSession } from '../figures/timeline.ts';
import type { Finding } from '../findings.ts';
import { sources } from '../published.ts';
import type { Study } from '../study.ts';
import { client } from './client.ts';
import { partName, partsOf, spreadText, topicTitles } from './texts.ts';

/** The whole report as one HTML document that needs nothing else. */
export async function page(
  study: Study,
  figures: readonly Figure[],
  sessions: readonly TimelineSession[],
): Promise<string> {
  const echarts = sessions.length
    ? await readFile(createRequire(import.meta.url).resolve('echarts/dist/echarts.min.js'), 'utf8')
    : '';
  const sections = [
    intro(study),
    section('mismatches', 'The three mismatches, as numbers', mismatchTable(study)),
    section('workloads', 'Beside other workloads', contrastTable(study)),
    section('timeline-section', 'A session over time', timelinePart(sessions)),
    section('figures', 'Figures', figures.map(figurePart).join('\n')),
    section('findings', 'Findings', findingsPart(study)),
    ...(study.comparison
      ? [section('comparison', `${study.comparison.a} against ${study.comparison.b}`, comparisonPart(study))]
      : []),
    section('left-out', 'What was left out', leftOutPart(study)),
    section('method', 'How it was computed', methodPart(study)),
  ];
  return document({
    title: 'Agent sessions, characterised',
    nav: [
      ['mismatches', 'Mismatches'],
      ['workloads', 'Other workloads'],
      ['timeline-section', 'Time line'],
      ['figures', 'Figures'],
      ['findings', 'Findings'],
      ...(study.comparison ? [['comparison', 'Comparison'] as [string, string]] : []),
      ['method', 'Method'],
    ],
    body: sections.join('\n'),
    after: `<script type="application/json" id="timeline-data">${inScript({ sessions, colours: kindColours })}</script>
<script>${echarts.replaceAll('</script', '<\\/script')}</script>
<script>${client}</script>`,
  });
}

function intro(study: Study): string {
  return `<p>${study.gathered.used} of ${study.gathered.sessions} sessions count. Most findings have two forms: <b>paper</b>, by the rule of the AgentCgroup paper (arXiv 2602.09345), and <b>sound</b>, by a rule that can be defended. Open a finding to see both rules and why they differ.</p>
${table(
  ['Set', 'Sessions', 'that count', 'Model', 'From'],
  study.sets.map((s) => [esc(s.name), String(s.sessions), String(s.used), esc(s.models), esc(s.sources)]),
  [false, true, true, false, false],
)}`;
}

function mismatchTable(study: Study): string {
  const groups = Object.keys(study.mismatches[0]?.values ?? {});
  const why: Record<string, string> = {
    granularity: 'Granularity: one limit for a container, while demand is that of single tool calls.',
    responsiveness: 'Responsiveness: how fast demand moves, and how fast controllers in user space act.',
    adaptability: 'Adaptability: limits from history, while runs do not repeat.',
  };
  const body = Object.entries(why)
    .map(([kind, text]) => {
      const rows = study.mismatches.filter((m) => m.mismatch === kind);
      return `<h3>${esc(text)}</h3>${table(
        ['', ...groups.map(esc), 'unit'],
        rows.map((m) => [esc(m.measure), ...groups.map((g) => shown(m.values[g])), esc(m.unit)]),
        [false, ...groups.map(() => true), false],
      )}`;
    })
    .join('<br>');
  const data = csv({
    columns: ['mismatch', 'measure', 'unit', ...groups],
    rows: study.mismatches.map((m) => [m.mismatch, m.measure, m.unit, ...groups.map((g) => m.values[g] ?? null)]),
  });
  return `${body}<p class="small">Reaction times: ${sourceLinks(['psi', 'k8s-eviction', 'oomd.conf', 'k8s-vpa'])}. ${csvLink('mismatches', data)}</p>`;
}

const sourceLinks = (keys: readonly string[]) =>
  keys
    .map((key) => sources.find((s) => s.key === key)!)
    .map((s) => `<a href="${s.url}">${esc(s.text)}</a>`)
    .join('; ');

function contrastTable(study: Study): string {
  const sets = study.sets.map((s) => s.name);
  const workloads = study.contrast[0]?.published.map((p) => p.workload) ?? [];
  const rows = study.contrast.map((r) => [
    `<b>${esc(r.dimension)}</b>`,
    ...r.published.map((p) => esc(p.text)),
    ...sets.map((s) => esc(r.ours[s] ?? 'not recorded')),
  ]);
  const data = csv({
    columns: ['dimension', ...workloads, ...sets],
    rows: study.contrast.map((r) => [
      r.dimension,
      ...r.published.map((p) => p.text),
      ...sets.map((s) => r.ours[s] ?? null),
    ]),
  });
  return `${table(['', ...workloads.map(esc), ...sets.map((s) => `${esc(s)} (these traces)`)], rows)}
<p class="small">Published figures: ${sourceLinks(['shahrad2020', 'cortez2017', 'verma2015', 'agentcgroup2026'])}. Columns of these traces are computed, sound form. ${csvLink('workloads', data)}</p>`;
}

function timelinePart(sessions: readonly TimelineSession[]): string {
  if (!sessions.length) return '<p>No session has samples.</p>';
  const keys = Object.entries(kindColours)
    .map(([kind, colour]) => `<span class="key"><i style="background:${colour}"></i>${kind}</span>`)
    .join('');
  return `<figure><div class="controls"><label>Session <select id="session"></select></label> <button id="whole" type="button">Whole session</button> <button id="save-session" type="button">CSV</button></div>
<div id="timeline" role="img" aria-label="Memory, CPU and tool calls of the chosen session over time"></div>
<div class="controls"><label for="moment">Moment</label><input id="moment" type="range" min="0" value="0"></div>
<output id="readout" aria-live="polite"></output>
<div>${keys}</div>
<figcaption><b>Definition.</b> Memory and CPU rate since the sample before; bands are tool calls, coloured by kind of command (tests, install, script, other command), other tools, and sub-agents. Scroll or pinch to zoom, drag to move, or move the slider. Sessions with the highest peak to average come first; ${sessions.length} of them are in this page, thinned so that peaks stay.</figcaption></figure>`;
}

function findingsPart(study: Study): string {
  const topics = [...new Set(study.findings.map((f) => f.topic))];
  const body = topics.map(
    (topic) =>
      `<h3>${esc(topicTitles[topic])}</h3>${study.findings
        .filter((f) => f.topic === topic)
        .map(findingPart)
        .join('\n')}`,
  );
  return `<p><button id="open-all" type="button" aria-pressed="false">Open all</button> ${csvLink('findings', findingsCsv(study.findings))}</p>${body.join('<br>')}`;
}

/** Paper → sound, for every set, in one line. */
function headline(finding: Finding, set: string): string {
  const d = finding.detail[set]!;
  const parts = partsOf(finding).slice(0, 3);
  const text = parts
    .map((part) => {
      const sound = shown(d.sound[part]?.value);
      const paper = d.paper?.[part] ? shown(d.paper[part].value) : null;
      const name = partName(part);
      const value = paper === null || paper === sound ? `<b>${esc(sound)}</b>` : `${esc(paper)} → <b>${esc(sound)}</b>`;
      return `${name ? `${esc(name)} ` : ''}${value}`;
    })
    .join(', ');
  const name = set === everything ? 'all' : set;
  return `${set === evaluationSet ? '' : `${esc(name)}: `}${text}${partsOf(finding).length > 3 ? ', …' : ''}`;
}

function findingPart(finding: Finding): string {
  const sets = Object.keys(finding.detail);
  const rows = sets.flatMap((set) =>
    partsOf(finding).map((part) => {
      const d = finding.detail[set]!;
      const [paper, sound] = [d.paper?.[part], d.sound[part]];
      const best = sound ?? paper;
      const reason = best?.value === null || best === undefined ? esc(best?.reason ?? '') : '';
      return [
        esc(set),
        esc(partName(part)),
        d.paper ? shownCell(paper?.value) : '',
        shownCell(sound?.value),
        (best?.n ?? 0).toLocaleString('en'),
        String(best?.sessions ?? 0),
        reason || spreadText(best),
        esc(best?.highest ?? ''),
      ];
    }),
  );
  return `<details class="finding" id="${esc(finding.id)}"><summary><span>${esc(finding.title)} <small>${esc(finding.unit)}</small></span><span class="values">${sets.map((s) => headline(finding, s)).join('; ')}</span></summary>
<dl><dt>id</dt><dd><code>${esc(finding.id)}</code></dd>${finding.definition.paper ? `<dt>paper</dt><dd>${esc(finding.definition.paper)}</dd>` : ''}<dt>sound</dt><dd>${esc(finding.definition.sound)}</dd>${finding.difference ? `<dt>why</dt><dd>${esc(finding.difference)}</dd>` : ''}</dl>
${table(['Set', '', 'Paper', 'Sound', 'n', 'Sessions', 'min | 25 % | median | 75 % | max', 'Highest in'], rows, [false, false, true, true, true, true, false, false])}</details>`;
}

const shownCell = (v: number | string | null | undefined) => esc(shown(v));

/** Every value with its spread, as a table. */
export function findingsCsv(findings: readonly Finding[]): string {
  const rows = findings.flatMap((f) =>
    Object.entries(f.detail).flatMap(([set, d]) =>
      (['paper', 'sound'] as const).flatMap((form) =>
        Object.entries(d[form] ?? {}).map(([part, v]) => [
          f.id,
          part === 'value' ? '' : part,
          set,
          form,
          v.value,
          f.unit,
          v.n,
          v.sessions,
          v.spread?.min ?? null,
          v.spread?.p25 ?? null,
          v.spread?.median ?? null,
          v.spread?.p75 ?? null,
          v.spread?.max ?? null,
          v.lowest ?? null,
          v.highest ?? null,
          v.reason ?? null,
          f.definition[form],
        ]),
      ),
    ),
  );
  return csv({
    columns: [
      'id',
      'part',
      'set',
      'form',
      'value',
      'unit',
      'n',
      'sessions',
      'min',
      'p25',
      'median',
      'p75',
      'max',
      'lowest in',
      'highest in',
      'reason',
      'definition',
    ],
    rows,
  });
}

function comparisonPart(study: Study): string {
  const { a, b, differences } = study.comparison!;
  const sure = differences.filter((d) => d.low !== null && d.high !== null);
  const rows = sure.map((d) => [
    `<a href="#${esc(d.id)}">${esc(d.title)}</a>${d.part ? ` <small>${esc(partName(d.part))}</small>` : ''}`,
    esc(d.unit),
    shown(d.a),
    shown(d.b),
    shown(d.difference),
    `${shown(d.low)} to ${shown(d.high)}`,
    d.low! > 0 || d.high! < 0 ? 'yes' : 'no',
  ]);
  const data = csv({
    columns: ['id', 'part', 'unit', a, b, 'difference', 'low', 'high', 'reason'],
    rows: differences.map((d) => [d.id, d.part, d.unit, d.a, d.b, d.difference, d.low, d.high, d.reason ?? null]),
  });
  return `<p>Sound forms. The interval holds 95 % of the differences when whole sessions are drawn again a thousand times; "clear" where it leaves out zero. With so many rows, one in twenty is clear by chance. Totals, extremes and what too few sessions have get no interval: they are in the ${csvLink('comparison', data)}</p>${table(
    ['Finding', 'unit', esc(a), esc(b), 'difference', '95 % interval', 'clear'],
    rows,
    [false, false, true, true, true, true, false],
  )}`;
}

function leftOutPart(study: Study): string {
  if (!study.leftOut.length) return '<p>Nothing.</p>';
  return table(
    ['Why', 'How often', 'First'],
    study.leftOut.map((l) => [esc(l.why), l.count.toLocaleString('en'), `<small>${esc(l.what)}</small>`]),
    [false, true, false],
  );
}

function methodPart(study: Study): string {
  const { burstMb, riseMb, burstCpu } = study.thresholds;
  return `<dl><dt>Units</dt><dd>MB is 10<sup>6</sup> bytes, GiB 2<sup>30</sup>; 100 % CPU is one core.</dd>
<dt>Thresholds</dt><dd>memory burst (paper) above ${burstMb} MB; burst above idle by ${riseMb} MB; CPU burst above ${burstCpu} %</dd>
<dt>Node</dt><dd>${(study.nodeBytes / 1e9).toFixed(1)} GB</dd><dt>Seed</dt><dd>${study.seed}</dd>
<dt>Spread</dt><dd>of the rows' values; of sessions' own shares where the finding is a share</dd></dl>`;
}
