import { type Definition, many, over, percent } from './definition.ts';

const T = 'tasks_used' as const;

/** What limits per container cost, and what bands per call would. */
export const provisioning: Definition[] = [
  {
    id: 'band.saved',
    topic: 'provisioning',
    title: 'Memory that a band per call saves against provisioning for the peak',
    unit: '%',
    paper: null,
    sound: many(
      '1 - (each call, and each gap between calls, given its own peak) / (the session given its peak throughout), in MB seconds; with the calls known beforehand, so a bound',
      {
        all_sessions: percent(T, 'reserve_peak_mbs - reserve_band_mbs', 'reserve_peak_mbs'),
        median_session: over(T, 'median', '100 * (1 - reserve_band_mbs / nullif(reserve_peak_mbs, 0))'),
        best_session: over(T, 'max', '100 * (1 - reserve_band_mbs / nullif(reserve_peak_mbs, 0))'),
      },
    ),
    difference: '',
  },
  {
    id: 'band.unused',
    topic: 'provisioning',
    title: 'Memory that peak provisioning reserves and nobody uses',
    unit: '%',
    paper: null,
    sound: many('1 - memory in use / (peak throughout), in MB seconds', {
      all_sessions: percent(T, 'reserve_peak_mbs - used_mbs', 'reserve_peak_mbs'),
      median_session: over(T, 'median', '100 * (1 - used_mbs / nullif(reserve_peak_mbs, 0))'),
    }),
    difference: '',
  },
];
