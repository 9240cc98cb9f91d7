/**
 * The rows every figure is computed from. One session at a time is measured into them, so memory stays bounded however
 * many sessions there are. Units are in the names: `_s` seconds, `_mb` megabytes (10^6 bytes, as `podman stats` prints and
 * the paper uses), `_gib` 2^30 bytes, `_mbs` megabyte seconds (memory held, times how long). CPU is per cent of one core.
 * What was not measured is null.
 */
export const tables = {
  /** One session: one run of an agent on a task. */
  tasks: {
    id: 'INTEGER',
    set_name: 'VARCHAR',
    task: 'VARCHAR',
    attempt: 'INTEGER',
    session: 'VARCHAR',
    source: 'VARCHAR',
    /** The model of the main thread; of the sub-agents, where another. */
    model: 'VARCHAR',
    sub_model: 'VARCHAR',
    /** Fit for use: passes the filter (see `Filter`). */
    used: 'BOOLEAN',
    samples: 'INTEGER',
    sampled_s: 'DOUBLE',
    /** From container start to end, where recorded; otherwise from first to last sign of life. */
    wall_s: 'DOUBLE',
    /** First to last record of the agent; without such records the sampled window. */
    active_s: 'DOUBLE',
    /** Did the agent's own log say when it was active? */
    logged: 'BOOLEAN',
    permission_fix_s: 'DOUBLE',
    pull_s: 'DOUBLE',
    image_gib: 'DOUBLE',
    limit_mb: 'DOUBLE',
    empty_issue: 'BOOLEAN',
    calls: 'INTEGER',
    commands: 'INTEGER',
    /** Durations added up; overlaps merged; overlaps merged without sub-agent envelopes. */
    tool_sum_s: 'DOUBLE',
    tool_union_s: 'DOUBLE',
    tool_leaf_s: 'DOUBLE',
    mem_peak_mb: 'DOUBLE',
    /** Mean over samples, and weighted with time. */
    mem_avg_mb: 'DOUBLE',
    mem_mean_mb: 'DOUBLE',
    /** Mean of the samples 1 .. n/10 (the paper's baseline), and the median outside leaf calls. */
    mem_early_mb: 'DOUBLE',
    mem_idle_mb: 'DOUBLE',
    /** Place of the first maximum: by sample index, and by time, 0..1. */
    peak_index: 'DOUBLE',
    peak_time: 'DOUBLE',
    /** Longest run of samples at 80 % of the peak or more; share of all samples there; share at or below the mean. */
    near_peak_run: 'INTEGER',
    near_peak_share: 'DOUBLE',
    below_avg_share: 'DOUBLE',
    /** Of the values as recorded (lifetime averages in podman's case). */
    cpu_avg: 'DOUBLE',
    cpu_max: 'DOUBLE',
    /** CPU time used, its mean rate, and the highest rate between two samples. */
    cpu_s: 'DOUBLE',
    cpu_mean: 'DOUBLE',
    cpu_inst_max: 'DOUBLE',
    /** Intervals in which value x age falls, which a lifetime average cannot do. */
    cpu_falls: 'INTEGER',
    /** Correlation of CPU and memory: raw samples, and interval CPU. */
    cpu_mem_raw_r: 'DOUBLE',
    cpu_mem_r: 'DOUBLE',
    /** Assistant records; distinct messages; output tokens added over records, and once per message. */
    records: 'INTEGER',
    messages: 'INTEGER',
    record_tokens: 'DOUBLE',
    message_tokens: 'DOUBLE',
    /** Memory held over time if the peak is reserved throughout; if each call has its own band; as used. */
    reserve_peak_mbs: 'DOUBLE',
    reserve_band_mbs: 'DOUBLE',
    used_mbs: 'DOUBLE',
    /** Runs of three or more commands: any; longest; seconds in them; memory kept, by exact and by sliced sizes. */
    command_groups: 'INTEGER',
    longest_group: 'INTEGER',
    group_s: 'DOUBLE',
    kept_mb: 'DOUBLE',
    kept_sliced_mb: 'DOUBLE',
    /** Three test commands in a row: identical; any. The same one three times anywhere; three at all. */
    tests_in_row_same: 'BOOLEAN',
    tests_in_row: 'BOOLEAN',
    tests_same_3: 'BOOLEAN',
    tests_3: 'BOOLEAN',
    /** Seconds of every repetition of a test command (the first run not counted). */
    repeat_s: 'DOUBLE',
  },
  /** One sample of a whole session, with the interval that ends there. */
  samples: {
    id: 'INTEGER',
    t_s: 'DOUBLE',
    dt_s: 'DOUBLE',
    mem_mb: 'DOUBLE',
    /** The same number as the authors' slicing parser reads it; and with a gigabyte taken as 1024 MB. */
    sliced_mb: 'DOUBLE',
    d_mem_mb: 'DOUBLE',
    cpu: 'DOUBLE',
    d_cpu: 'DOUBLE',
    cpu_inst: 'DOUBLE',
    d_cpu_inst: 'DOUBLE',
    in_call: 'BOOLEAN',
    in_leaf: 'BOOLEAN',
    /** The container had ended when this was read (`0B / 0B`). */
    gone: 'BOOLEAN',
  },
  /** One tool call. */
  calls: {
    id: 'INTEGER',
    n: 'INTEGER',
    tool: 'VARCHAR',
    is_command: 'BOOLEAN',
    envelope: 'BOOLEAN',
    sub_agent: 'BOOLEAN',
    /** By the paper's two word orders, and by the program that runs. */
    class_time: 'VARCHAR',
    class_spike: 'VARCHAR',
    class: 'VARCHAR',
    /** The beginning of the command, for people. */
    label: 'VARCHAR',
    start_s: 'DOUBLE',
    dur_s: 'DOUBLE',
    /** Start within the sampled window, 0..1. */
    progress: 'DOUBLE',
    samples_in: 'INTEGER',
    /** Highest sample in the call minus the last one before it. */
    rise_mb: 'DOUBLE',
    rise_sliced_mb: 'DOUBLE',
    rise_cpu: 'DOUBLE',
    rise_cpu_inst: 'DOUBLE',
    /** What the call needed: its own cgroup's peak where recorded, else the rise (not below zero). */
    demand_mb: 'DOUBLE',
    /** Demand of the previous call of this class in the session. */
    last_demand_mb: 'DOUBLE',
  },
  /** A run of samples over a threshold. `level`: the paper's fixed level; `rise`: above the session's own idle memory. */
  bursts: {
    id: 'INTEGER',
    kind: 'VARCHAR',
    samples: 'INTEGER',
    length_s: 'DOUBLE',
    height_mb: 'DOUBLE',
    /** From the last sample below the threshold to the highest. */
    rise_s: 'DOUBLE',
    in_leaf: 'BOOLEAN',
  },
  /** Three or more commands in a row. */
  command_groups: {
    id: 'INTEGER',
    calls: 'INTEGER',
    length_s: 'DOUBLE',
    kept_mb: 'DOUBLE',
    kept_sliced_mb: 'DOUBLE',
  },
} as const;

export type TableName = keyof typeof tables;
type Cell<T> = (T extends 'VARCHAR' ? string : T extends 'BOOLEAN' ? boolean : number) | null;
export type Row<N extends TableName> = { -readonly [K in keyof (typeof tables)[N]]: Cell<(typeof tables)[N][K]> };
export type TaskRow = Row<'tasks'>;
export type SampleRow = Row<'samples'>;
export type CallRow = Row<'calls'>;
export type BurstRow = Row<'bursts'>;
export type GroupRow = Row<'command_groups'>;
