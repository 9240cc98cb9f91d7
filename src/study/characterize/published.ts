/**
 * Figures others have published, with their sources: what ours are set beside. Data, no code.
 */

export interface Source {
  key: string;
  text: string;
  url: string;
}

export const sources: Source[] = [
  {
    key: 'shahrad2020',
    text: 'M. Shahrad et al., Serverless in the Wild, USENIX ATC 2020',
    url: 'https://www.usenix.org/conference/atc20/presentation/shahrad',
  },
  {
    key: 'cortez2017',
    text: 'E. Cortez et al., Resource Central, SOSP 2017',
    url: 'https://doi.org/10.1145/3132747.3132772',
  },
  {
    key: 'verma2015',
    text: 'A. Verma et al., Large-scale cluster management at Google with Borg, EuroSys 2015',
    url: 'https://doi.org/10.1145/2741948.2741964',
  },
  {
    key: 'agentcgroup2026',
    text: 'Y. Zheng et al., AgentCgroup, Table 1 (which cites the three above), arXiv 2602.09345, 2026',
    url: 'https://arxiv.org/abs/2602.09345',
  },
  {
    key: 'psi',
    text: "Linux, Pressure Stall Information: a trigger's tracking window is 500 ms to 10 s",
    url: 'https://docs.kernel.org/accounting/psi.html',
  },
  {
    key: 'oomd.conf',
    text: 'systemd, oomd.conf(5): DefaultMemoryPressureDurationSec= is 30 s',
    url: 'https://www.freedesktop.org/software/systemd/man/latest/oomd.conf.html',
  },
  {
    key: 'k8s-eviction',
    text: 'Kubernetes, node-pressure eviction: the kubelet looks every 10 s (housekeeping-interval)',
    url: 'https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/',
  },
  {
    key: 'k8s-vpa',
    text: 'Kubernetes autoscaler, VPA recommender: --recommender-interval is 1 min',
    url: 'https://github.com/kubernetes/autoscaler/tree/master/vertical-pod-autoscaler',
  },
];

/** Kinds of workload of the paper's Table 1. */
export const workloads = [
  { name: 'Serverless', source: 'shahrad2020' },
  { name: 'Microservices', source: 'cortez2017' },
  { name: 'Batch', source: 'verma2015' },
  { name: 'Agents (paper)', source: 'agentcgroup2026' },
] as const;

/** One row of Table 1, in the order of `workloads`; wording shortened. */
export interface Dimension {
  key: 'duration' | 'image' | 'state' | 'footprint' | 'peak' | 'cpu' | 'determinism' | 'pattern' | 'termination';
  title: string;
  published: readonly [string, string, string, string];
}

export const dimensions: Dimension[] = [
  { key: 'duration', title: 'Duration', published: ['100 ms - 2 s', 'long-running', 'minutes - hours', '5 - 11 min'] },
  {
    key: 'image',
    title: 'Image',
    published: ['about 50 MB', '100 MB - 1 GB', '1 - 10 GB', '2.9 - 17.3 GB (median 3.5)'],
  },
  { key: 'state', title: 'State', published: ['none', 'external', 'in process', 'in process'] },
  {
    key: 'footprint',
    title: 'Memory',
    published: ['128 - 512 MB', 'steady, about 1 GB', 'grows with data', '185 MB idle, peaks 2 - 4 GB'],
  },
  { key: 'peak', title: 'Memory peak / average', published: ['about 1.5x', '2 - 3x', 'about 1x', '15.4x'] },
  {
    key: 'cpu',
    title: 'CPU',
    published: ['short spike', '10 - 40 %', '80 - 100 %', 'under 13 % mean, peaks over 175 %'],
  },
  {
    key: 'determinism',
    title: 'Same input, same demand?',
    published: ['yes', 'mostly', 'yes', '1.8x between runs of one task'],
  },
  {
    key: 'pattern',
    title: 'Pattern',
    published: ['flat', 'steady with a daily cycle', 'stable rise', 'bursts and silence'],
  },
  { key: 'termination', title: 'Cost of a kill', published: ['a retry', 'a migration', 'progress', 'all LLM context'] },
];

/** How fast today's controllers act, seconds. */
export const controllers = [
  { name: 'PSI trigger, shortest window', reaction_s: 0.5, source: 'psi' },
  { name: 'kubelet eviction', reaction_s: 10, source: 'k8s-eviction' },
  { name: 'systemd-oomd', reaction_s: 30, source: 'oomd.conf' },
  { name: 'Vertical Pod Autoscaler', reaction_s: 60, source: 'k8s-vpa' },
] as const;

/** The machine and the peaks of the paper's arithmetic (its sections 3.1 and 3.3). */
export const paperNode = { memoryGb: 128, cores: 24, peaksGb: [4, 2] } as const;
