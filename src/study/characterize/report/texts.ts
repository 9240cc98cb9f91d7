import { shown } from '../../report/index.ts';
import type { Value } from '../define/evaluate.ts';
import type { Finding } from '../findings.ts';

/** Parts of a finding, in the order of the sound form, then those that only the paper has. */
export function partsOf(finding: Finding): string[] {
  const names = new Set<string>();
  for (const d of Object.values(finding.detail)) {
    for (const name of Object.keys(d.sound)) names.add(name);
    for (const name of Object.keys(d.paper ?? {})) names.add(name);
  }
  return [...names];
}

export const partName = (part: string): string => (part === 'value' ? '' : part.replaceAll('_', ' '));

export function spreadText(v: Value | undefined): string {
  const s = v?.spread;
  if (!s) return '';
  return `${shown(s.min)} | ${shown(s.p25)} | ${shown(s.median)} | ${shown(s.p75)} | ${shown(s.max)}`;
}

export const topicTitles: Record<Finding['topic'], string> = {
  setting: 'What was run',
  time: 'Time',
  tools: 'Tools and commands',
  cpu: 'Processor',
  memory: 'Memory',
  bursts: 'Bursts',
  change: 'Change',
  calls: 'What calls need',
  retries: 'Trying again',
  relations: 'What goes with what',
  provisioning: 'Provisioning',
  evaluation: "The authors' own experiments",
};
