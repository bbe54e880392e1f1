// Made by scripts/types.mjs from openapi.json; do not edit.

/** Who did something. */
export type Actor = {
  type: "hub";
} | {
  /** A user or token. */
  id: Id;
  type: "user";
} | {
  type: "console";
};

/** An alarm as it stands. */
export type Alarm = {
  acknowledged_by?: Id | null;
  /** What the operator should do. */
  action: Title;
  /** When it cleared; none while active. */
  cleared_at?: string | null;
  /** Why it was raised or last changed level. */
  evidence: Evidence;
  /** The grid of the source. */
  grid: Id;
  /** What harm. */
  hazard: Hazard;
  /** Its id. */
  id: Id;
  /** The present level, or the last one when cleared. */
  level: Level;
  /** The highest level so far. */
  peak: Level;
  place?: Place | null;
  /** When it was raised. */
  raised_at: string;
  /** The rule. */
  rule: Id;
  /** The number of the last transition. */
  seq: number;
  /** Whether its rule was on trial when it was raised; nobody is told then. */
  shadow?: boolean;
  /** Until when it is shelved. */
  shelved_until?: string | null;
  /** The source. */
  source: Id;
  /** Whether its data is too old to judge. */
  stale: boolean;
  suppressed_by?: Cause | null;
  /** The rule's words. */
  title: Title;
};

/** What a transition changes. */
export type AlarmChange = {
  /** What the operator should do, as the rule says. */
  action: Title;
  /** Why. */
  evidence: Evidence;
  /** The grid of the source. */
  grid: Id;
  /** What harm. */
  hazard: Hazard;
  /** At which level. */
  level: Level;
  /** Whose rule it is: the desk that has to act. None in rows of older versions. */
  owner?: string | null;
  place?: Place | null;
  /** Whether its rule is on trial: it is counted and shown, and nobody is told. */
  shadow?: boolean;
  /** Until when it is shelved from its first moment, because the alarm before it was put aside till then. */
  shelved_until?: string | null;
  suppressed_by?: Cause | null;
  /** The rule's words, in the two languages of the console. */
  title: Title;
  type: "raised";
} | {
  /** Why. */
  evidence: Evidence;
  /** From. */
  from: Level;
  /** To. */
  to: Level;
  type: "level_changed";
} | {
  /** Why. */
  evidence: Evidence;
  type: "cleared";
} | {
  /** Who. */
  by: Id;
  type: "acknowledged";
} | {
  /** Whether the hub did it by itself. */
  automatic?: boolean;
  /** Who; `hub` for the hub itself. */
  by: Id;
  /** Why. */
  reason: string;
  type: "shelved";
  /** Until when. */
  until: string;
} | {
  by?: Id | null;
  type: "unshelved";
} | {
  type: "stale";
} | {
  type: "fresh";
} | {
  /** The alarm that explains it. */
  by: Cause;
  type: "suppressed";
} | {
  type: "unsuppressed";
};

/** An alarm in few words. */
export type AlarmFact = {
  /** When it cleared; none when it stood at the end of the window. */
  cleared_at?: string | null;
  /** Its grid. */
  grid: Id;
  /** The level at which it was raised. */
  level: Level;
  /** The highest that it reached. */
  peak: Level;
  /** When it was raised. */
  raised_at: string;
  /** Where. */
  source: Id;
};

/** Active alarms. */
export type AlarmPage = {
  /** The gravest first, then the newest. */
  items: Alarm[];
};

/** One step in the life of an alarm; the alarm is what its transitions say. */
export type AlarmTransition = {
  /** Which alarm. */
  alarm: Id;
  /** When, on the engine's clock. */
  at: string;
  /** What changed. */
  change: AlarmChange;
  /** The rule that speaks. */
  rule: Id;
  /** 1 for the first transition of this alarm, rising by one. */
  seq: number;
  /** The source it speaks of. */
  source: Id;
};

/** An audited act that moves no alarm and no incident. */
export type Audit = {
  /** What was done, as `live.view`, `snapshot.view`, `video.break_glass`, `session.login`, `session.refused`, `sources.import`, `user.add`, `token.create`, `rules.load`, `emergency.begin`, `emergency.end`, `hub.start`, `hub.stop`. */
  action: string;
  /** Further facts, never secrets. */
  detail?: unknown;
  /** What for, in the actor's words; required for break-glass. */
  purpose?: string | null;
  /** To what: a source, user or file. */
  subject: string;
};

/** A page of audit rows. */
export type AuditPage = {
  /** The newest first. */
  items: LogEntry[];
  /** Where the next page begins; none on the last. */
  next_cursor?: number | null;
};

/** What reads a camera. */
export type Backend = "retina" | "ffmpeg";

/** What a camera is to be read with. */
export type BackendBody = {
  backend: BackendChoice;
};

/** What a camera is to be read with. */
export type BackendChoice = "auto" | "retina" | "ffmpeg";

/** A backtest that was begun. */
export type BacktestBegun = {
  /** Its number. */
  id: number;
};

/** What to try, over which time. */
export type BacktestBody = {
  /** Alarms a day of one source beyond which limits are sought that calm it; 1 without. */
  calm_per_day?: number | null;
  from: string;
  /** A rule in the set, or of `text`; may be left out when the text holds one rule alone. */
  rule?: string | null;
  /** A rule file to be tried in place of the rules in force. */
  text?: string | null;
  /** At most 92 days after `from`, and not after now. */
  to: string;
};

/** The backtests that run, wait, or have ended lately. */
export type BacktestList = {
  /** The newest first, without their reports. */
  items: Job[];
};

/** What a rule would have said. */
export type BacktestReport = {
  /** The alarms, the oldest first; at most 5,000. */
  alarms: AlarmFact[];
  /** By hour of the clock (UTC); hours without one are left out. */
  by_hour: HourCount[];
  /** By the highest level that each reached. */
  by_level: Record<string, number>;
  /** By source, the noisiest first; at most 200. */
  by_source: SourceCount[];
  /** For the noisiest sources of a rule with limits: how far limits would have to be moved. */
  calm: Calm[];
  /** The window, from. */
  from: string;
  /** The load with this rule as tried, in place of what it said in the window if it was in force. */
  load_after: Load;
  /** The load on the desk as it was. */
  load_before: Load;
  /** What people found. */
  matched: Matched;
  /** In a day, on average. */
  per_day: number;
  /** Alarms raised in the window. */
  raised: number;
  /** Readings seen, those before the window with them. */
  readings: number;
  /** The rule. */
  rule: Id;
  /** Sources that the rule watches. */
  sources: number;
  /** Sources that raised at all. */
  sources_raising: number;
  /** Alarms that stood already when it began. */
  standing: number;
  /** The window, to. */
  to: string;
  /** Hash of its meaning. */
  version: string;
  /** Seconds of readings before the window. */
  warm_up_s: number;
};

/** A step of time summed up. */
export type BucketView = {
  /** When it begins. */
  at: string;
  /** The mean. */
  avg: number;
  /** How many there were. */
  count: number;
  /** The greatest value. */
  max: number;
  /** The least value. */
  min: number;
};

/** Alarms by level. */
export type ByLevel = {
  /** Level IV. */
  blue: number;
  /** Level II. */
  orange: number;
  /** Level I. */
  red: number;
  /** Level III. */
  yellow: number;
};

/** A rule's calendar. */
export type CalendarSight = {
  /** Its name. */
  name: string;
  /** When that may change. */
  next_edge?: string | null;
  /** Whether the rule is in force. */
  open: boolean;
};

/** What would calm a source. */
export type Calm = {
  /** Where the lowest level stands now. */
  limit_now: number;
  /** Where it would stand. */
  limit_then: number;
  /** By how much all limits of the rule would have to be moved; below zero for a rule that speaks when a value falls. */
  move_by: number;
  /** Alarms a day as the limits stand. */
  per_day_now: number;
  /** Alarms a day with the limits moved. */
  per_day_then: number;
  /** The source. */
  source: Id;
  /** Alarms a day that were asked for. */
  wanted_per_day: number;
};

/** A camera's share of attention. */
export type CameraFigures = KpiJudged & {
  /** Alarms in 45 days at this rate. */
  per_45_days: number;
  /** The camera. */
  source: string;
  /** How that stands against the line. */
  verdict: KpiVerdict;
};

/** The alarm that explains another. */
export type Cause = {
  /** Which alarm. */
  alarm: Id;
  /** Its rule. */
  rule: Id;
  /** Its source. */
  source: Id;
};

/** What may have failed. */
export type CauseView = {
  /** The host, without port and credentials. */
  host: string;
  type: "recorder";
} | {
  /** As the tag `gateway` names it. */
  gateway: string;
  type: "gateway";
} | {
  /** As the tag `broker` names it; none for the first one in the settings. */
  broker?: string | null;
  type: "broker";
} | {
  /** Which. */
  grid: string;
  type: "grid";
} | {
  /** Whose. */
  owner: Owner;
  type: "owner";
};

/** A channel. */
export type ChannelView = {
  /** `app`, `webhook`, `robot`, `mail` or `mqtt`. */
  kind: string;
  /** As routes name it. */
  name: string;
};

/** A condition, asked. */
export type ConditionSight = {
  /** What it says; none when it cannot be said. */
  holds?: boolean | null;
  /** The names in it with their values. */
  names: NameSight[];
  /** As written in the rule. */
  text: string;
};

/** A change of state. */
export type ConnectionRowView = {
  /** When. */
  at: string;
  /** What happened, in English; holds no secret. */
  detail?: string | null;
  /** Changes between the row before and this one that were too many to keep. */
  merged: number;
  /** Why, as a code the console translates. */
  reason?: string | null;
  /** The state from then on. */
  state: SourceState;
};

/** A source's states and changes. */
export type ConnectionsView = {
  /** How many days the hub keeps. */
  days_kept: number;
  /** From when. */
  from: string;
  /** The changes, the newest first. */
  rows: ConnectionRowView[];
  /** The state at each moment, without gaps, the oldest first. */
  segments: SegmentView[];
  /** To when: now. */
  to: string;
};

/** What an emergency's area has got, and at whose cost: against how it would be now without the emergency, whatever area was in force before. Counted anew every ten seconds. */
export type Cost = {
  /** Cameras in the area, without residents' own. */
  cameras: number;
  /** Those among them that nobody would pull without it. */
  opened: number;
  /** Cameras on demand elsewhere are not asked how they are meanwhile. */
  probes_paused: boolean;
  /** Streams of the area that found no place: the limit on sessions is smaller than the area. */
  refused: number;
  /** The same of key sites. */
  shed_key_sites: number;
  /** Streams elsewhere that the hub keeps for itself and had to let go. */
  shed_usual: number;
  /** Streams elsewhere that somebody watches and that had to be closed. */
  shed_watched: number;
  /** Streams of theirs that are pulled or being connected. */
  streams: number;
};

/** A page of dead letters. */
export type DeadLetterPage = {
  /** The newest first. */
  items: DeadLetterView[];
  /** Where the next page begins; none on the last. */
  next_cursor?: number | null;
  /** How many are kept, in and out of the caller's scope. */
  total: number;
};

/** A message that could not be decoded. */
export type DeadLetterView = {
  /** When it came. */
  at: string;
  /** From which broker. */
  broker: string;
  /** Its number. */
  id: number;
  /** The whole payload's length. */
  payload_bytes: number;
  /** The first bytes as text; what is no UTF-8 is shown as the replacement character. */
  payload_text: string;
  /** Why it could not be decoded. */
  reason: string;
  /** From which source, when the topic names one. */
  source?: string | null;
  /** Under which topic. */
  topic: string;
};

/** An emergency that is on. */
export type Emergency = {
  /** Who began it. */
  by: Actor;
  /** What the area has got, and at whose cost. */
  cost: Cost;
  /** Its area: these grids with all inside them. */
  grids: Id[];
  /** Why, in the words of whoever began it. */
  reason: string;
  /** When it began. */
  since: string;
  /** When it ends by itself. */
  until: string;
};

/** The emergency that is on, if there is one. */
export type EmergencyView = {
  emergency?: Emergency | null;
};

/** Which area, why, for how long. */
export type EmergencyWish = {
  /** Ids of grids; each with all inside it. */
  grids: Id[];
  /** 1 to 72; 8 without. */
  hours?: number | null;
  /** Up to 500 characters. */
  reason: string;
};

/** The body of every error. */
export type ErrorBody = {
  /** What went wrong. */
  error: ErrorDetail;
};

/** What went wrong. */
export type ErrorDetail = {
  /** For programs and translation. */
  code: string;
  /** Further facts. */
  details?: unknown;
  /** For people, in English. */
  message: string;
};

/** Why a transition happened: enough to explain it later without the rule file. */
export type Evidence = {
  /** The expression that decided, as written in the rule. */
  condition: string;
  /** Hash of the rule's meaning. */
  rule_version: string;
  /** Since when the condition held. */
  since?: string | null;
  /** The value of the reading, when one decided. */
  value?: unknown;
  /** The names the expression used, with their values: readings and limits. */
  values?: Record<string, unknown>;
};

/** What a rule sees at a source. */
export type Explanation = {
  alarm?: Alarm | null;
  /** The moment that is explained. */
  at: string;
  calendar?: CalendarSight | null;
  /** Its levels, the lowest first; none when the rule does not watch the source. */
  levels: LevelSight[];
  /** The answer in sentences, the weightiest first. */
  reasons: Reason[];
  /** The rule. */
  rule: Id;
  /** Until when a person has put this rule aside for this source. */
  shelved_until?: string | null;
  /** The source. */
  source: Id;
  /** The state of the source's link. */
  state: SourceState;
  /** Where it is in its life. */
  status: RuleStatus;
  /** The answer in one word. */
  verdict: RuleVerdict;
  /** Hash of its meaning. */
  version: string;
};

/** One thing found. */
export type Finding = {
  /** What kind of finding, as `no-clear`. */
  code: string;
  /** Column in characters, from 1; 0 when the line as a whole is meant. */
  column: number;
  /** The file, as it was named to the loader. */
  file: string;
  /** Line, from 1; 0 when the file as a whole is meant. */
  line: number;
  rule?: Id | null;
  /** How bad. */
  severity: Severity;
  /** In words. */
  text: string;
};

/** What was found. */
export type Findings = {
  /** In the order of lines; nothing for a text that is good. */
  items: Finding[];
};

/** What a transition changes. */
export type FloodChange = {
  /** How many in the ten minutes before. */
  alarms: number;
  type: "began";
} | {
  /** How many were announced from ten minutes before its beginning to its end. */
  alarms: number;
  /** The most in any ten minutes. */
  peak: number;
  /** Since when it was on. */
  since: string;
  type: "ended";
};

/** A flood. */
export type FloodSpan = {
  /** Announced from ten minutes before its begin to its end. */
  alarms: number;
  /** The most in any ten minutes of it. */
  peak: number;
  /** When it began. */
  since: string;
  /** None while it is on. */
  until?: string | null;
};

/** A flood begins or ends, at one desk or in the hub as a whole. */
export type FloodTransition = {
  /** When. */
  at: string;
  /** What changed. */
  change: FloodChange;
  /** The desk, as the owner of its rules is written; none for the whole hub. */
  desk?: string | null;
};

/** Until when it is open. */
export type GrantView = {
  until: string;
};

/** A cell of the town; grids nest: town > village > grid. */
export type Grid = {
  /** The grid's id. */
  id: Id;
  /** Its name, in the town's language. */
  name: string;
  /** Its outline: one closed ring of longitude, latitude in degrees (WGS 84); empty when unknown. */
  outline?: number[][];
  parent?: Id | null;
};

/** Counts of a grid's sources, those of all grids inside it too. */
export type GridRates = Rates & {
  /** Which grid. */
  grid: string;
};

/** What kind of harm an alarm or incident is about. Alarms of one place and one hazard join one incident. */
export type Hazard = "flood" | "fire" | "gas" | "geology" | "security" | "traffic" | "crowd" | "utility" | "environment" | "equipment" | "request" | "other";

/** What could be better about a stream that is well. */
export type Hint = "long_gop" | "udp_to_tcp" | "ffmpeg_needed";

/** Alarms raised in an hour. */
export type HourCount = {
  /** By the highest level that each reached. */
  by_level: Record<string, number>;
  /** When the hour begins. */
  hour: string;
  /** How many. */
  raised: number;
};

/** The hub's own state. */
export type HubView = {
  /** Queues, drops and links, as the pipeline last told. */
  details: unknown;
  /** Whether the disk is full. */
  disk_full: boolean;
  /** Whether storage takes writes. */
  storage_ok: boolean;
  /** Seconds since it started. */
  uptime_s: number;
  /** The version of the program. */
  version: string;
};

export type Id = string;

/** An incident as it stands. */
export type Incident = {
  acknowledged_by?: Id | null;
  action?: Title | null;
  /** Those that are still active. */
  active_alarms: Id[];
  /** All alarms that joined. */
  alarms: Id[];
  /** Steps whose limit has passed. */
  breached: Step[];
  /** In which grid. */
  grid: Id;
  /** What harm. */
  hazard: Hazard;
  /** Its id. */
  id: Id;
  /** How grave. */
  level: Level;
  /** From whom or what. */
  origin: Origin;
  outcome?: Outcome | null;
  owner?: Id | null;
  place?: Place | null;
  /** When it was reported. */
  reported_at: string;
  responder?: Id | null;
  /** The number of the last transition. */
  seq: number;
  /** The sources of its alarms, the first one first. */
  sources: Id[];
  /** The last step done. */
  step: Step;
  /** When it came to its present step. */
  step_since: string;
  /** Whether it is on hold. */
  suspended: boolean;
  /** The headline. */
  title: Title;
  /** When anything last changed. */
  updated_at: string;
};

/** What a transition changes. */
export type IncidentChange = {
  action?: Title | null;
  /** In which grid. */
  grid: Id;
  /** What harm. */
  hazard: Hazard;
  /** How grave. */
  level: Level;
  /** From whom or what. */
  origin: Origin;
  place?: Place | null;
  source?: Id | null;
  /** The headline. */
  title: Title;
  type: "reported";
} | {
  /** The alarm. */
  alarm: Id;
  /** Its level. */
  level: Level;
  /** Its source. */
  source: Id;
  type: "alarm_joined";
} | {
  /** From. */
  from: Level;
  /** To. */
  to: Level;
  type: "level_changed";
} | {
  /** The alarm. */
  alarm: Id;
  type: "alarm_cleared";
} | {
  type: "acknowledged";
} | {
  /** The new owner. */
  owner: Id;
  type: "taken";
} | {
  /** The text, at most 4,000 characters. */
  text: string;
  type: "noted";
} | {
  /** The step it stood at. */
  from: Step;
  /** The step it stands at now. */
  to: Step;
  type: "advanced";
} | {
  /** The step it stood at. */
  from: Step;
  /** To whom. */
  responder: Id;
  type: "dispatched";
} | {
  /** The step it stood at. */
  from: Step;
  type: "returned";
} | {
  type: "suspended";
} | {
  type: "resumed";
} | {
  type: "rejected";
} | {
  /** The incident that goes on. */
  into: Id;
  type: "merged";
} | {
  type: "cancelled";
} | {
  /** The step it stood at. */
  from: Step;
  type: "closed";
  /** What it turned out to be. */
  verdict: Verdict;
} | {
  type: "reopened";
} | {
  /** The step that was due. */
  due: Step;
  type: "deadline_breached";
};

/** A page of incidents. */
export type IncidentPage = {
  /** Open ones: the gravest first, then the oldest. Otherwise the newest first. */
  items: Incident[];
  /** Where the next page begins; none on the last. */
  next_cursor?: string | null;
};

/** One step in the life of an incident. */
export type IncidentTransition = {
  /** Who. */
  actor: Actor;
  /** When, on the desk's clock. */
  at: string;
  /** What changed. */
  change: IncidentChange;
  /** Which incident. */
  incident: Id;
  /** Why; required for every side move. */
  reason?: string | null;
  /** 1 for the first transition of this incident, rising by one. */
  seq: number;
};

/** An incident with everything that happened to it. */
export type IncidentView = Incident & {
  /** Its transitions, the oldest first. */
  transitions: IncidentTransition[];
};

/** A backtest under way, or ended. */
export type Job = {
  /** Who asked for it. */
  by: string;
  /** Why it failed. */
  error?: string | null;
  /** From. */
  from: string;
  /** Its number. */
  id: number;
  /** How far it is, from 0 to 1. */
  progress: number;
  /** Readings seen so far. */
  readings: number;
  report?: BacktestReport | null;
  /** The rule. */
  rule: Id;
  /** Where it is. */
  state: JobState;
  /** To. */
  to: string;
};

/** Where a backtest is. */
export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";

/** Camera or sensor. */
export type Kind = "camera" | "sensor";

/** A figure with its lines. */
export type Kpi = {
  /** Good up to here. */
  good?: number | null;
  /** Which, as `alarms_per_hour`; docs/kpis.md tells each. */
  id: string;
  /** Bearable up to here; none where there is nothing between good and over. */
  limit?: number | null;
  /** Whether more is better: good is from the line up then. */
  more_is_better: boolean;
  /** `per_hour`, `per_10_min`, `share` (0 to 1) or `count`. */
  unit: string;
  /** The figure; none when nothing was measured. */
  value?: number | null;
  /** How it stands against the lines. */
  verdict: KpiVerdict;
};

/** What figures are told by. */
export type KpiBy = "hour" | "shift" | "day";

/** What people found an alarm to be. */
export type KpiJudged = {
  /** Alarms announced. */
  alarms: number;
  /** False ones of those judged, 0 to 1; none while none is judged. */
  false_share?: number | null;
  /** Of them, those whose incident was closed with a verdict. */
  judged: number;
  /** Of them, those that were false. */
  judged_false: number;
  /** Of them, those nobody needed to know of. */
  judged_nuisance: number;
};

/** Counts of a stretch of time. */
export type KpiPeriod = {
  /** Acknowledged by a person. */
  acknowledged: ByLevel;
  /** Alarms announced. */
  alarms: number;
  /** Times a rule began to chatter at a source. */
  chattering: number;
  /** Cleared, by level at their end. */
  cleared: ByLevel;
  /** Hours of it that have been. */
  covered_h: number;
  /** Cleared within ten seconds. */
  fleeting: number;
  /** Seconds in flood. */
  flood_s: number;
  /** Floods that began. */
  floods: number;
  /** From, a whole hour. */
  from: string;
  /** The most in any ten minutes. */
  peak_10_min: number;
  /** Alarms an hour; none before a minute of it has been. */
  per_hour?: number | null;
  /** The same by level at their raise. */
  raised: ByLevel;
  /** Put aside by people. */
  shelvings: number;
  shift?: Shift | null;
  /** The most alarms at a time that had stood for more than a day. */
  standing: number;
  /** Raised and not announced, by cause; causes that took nothing are left out. */
  suppressed: Record<string, number>;
  /** To, a whole hour. */
  to: string;
  /** How that stands against the line. */
  verdict: KpiVerdict;
  /** Windows of ten minutes by the clock with more than ten alarms. */
  windows_over_10: number;
};

/** How the alarms of a desk, or of the hub, were over a time. */
export type KpiReport = {
  /** What `periods` are. */
  by: KpiBy;
  /** The cameras that raised most, most first; at most 20. */
  cameras: CameraFigures[];
  /** Hours of it that have been and for which there are figures. */
  covered_h: number;
  /** The hours of the day shift. */
  day_shift: string;
  /** The desk; none for the whole hub. */
  desk?: string | null;
  /** All desks that have figures. */
  desks: string[];
  /** Floods that were on, rising; at most 720. */
  floods: FloodSpan[];
  /** From, a whole hour. */
  from: string;
  /** The figures with their lines. */
  kpis: Kpi[];
  /** Steps with a limit that were done or late, and how many were late. */
  limits: LimitsKept;
  /** What is so now. */
  now: NowFigures;
  /** The same by the names of OPC UA part 9, AlarmMetricsType. */
  opc_ua: OpcUa;
  /** The stretches of it, rising. */
  periods: KpiPeriod[];
  /** Each rule that raised, most first; at most 100. */
  rules: RuleFigures[];
  /** Day shifts and night shifts, each taken together. */
  shifts: ShiftFigures[];
  /** How long people took, by level, the gravest first. */
  times: LevelTimes[];
  /** To, a whole hour; the one that is on counts so far. */
  to: string;
  /** The ten rules and sources that raised most, most first. */
  top: Noisy[];
  /** Counts over the whole time. */
  total: KpiPeriod;
  /** The zone of days and shifts. */
  zone: string;
};

/** What a figure is called. */
export type KpiVerdict = "good" | "fair" | "over" | "none";

/** The four statutory warning levels, rising. In CAP 1.2: Minor, Moderate, Severe, Extreme. */
export type Level = "blue" | "yellow" | "orange" | "red";

/** A level of the rule at the source. */
export type LevelSight = {
  /** When it is over. */
  clear: ConditionSight;
  /** Seconds for which `raise` must hold. */
  for_s: number;
  /** Which. */
  level: Level;
  /** When it is raised. */
  raise: ConditionSight;
  timer?: TimerSight | null;
};

/** How long people took with incidents of a level. */
export type LevelTimes = {
  /** Until somebody acknowledged it. */
  acknowledge: Took;
  /** Until it was closed. */
  close: Took;
  /** Until somebody was sent. */
  dispatch: Took;
  /** Incidents reported in the time of the report. */
  incidents: number;
  /** The incident's level. */
  level: Level;
};

/** LimitsKept of the case flow. */
export type LimitsKept = {
  /** Of them, those whose limit passed first. */
  late: number;
  /** Steps with a limit that were done, or whose limit has passed. */
  steps: number;
};

/** The load on a desk over a time. ISA-18.2 takes about 6 alarms an hour as good and 12 as the most; more than 10 in 10 minutes are a flood. */
export type Load = {
  /** Alarms raised. */
  alarms: number;
  /** Their share of all windows, in percent. */
  flood_percent: number;
  /** Windows of ten minutes with more than ten. */
  flood_windows: number;
  /** Hours of the clock with more than twelve. */
  hours_over_12: number;
  /** In an hour, on average. */
  per_hour: number;
  /** In the worst hour of the clock. */
  worst_hour: number;
  /** In the worst ten minutes, counted from the begin. */
  worst_ten_minutes: number;
};

/** What a row tells. */
export type LogBody = AlarmTransition & {
  kind: "alarm";
} | AlarmTransition & {
  kind: "shadow";
} | IncidentTransition & {
  kind: "incident";
} | FloodTransition & {
  kind: "flood";
} | RuleChange & {
  kind: "rule";
} | Audit & {
  kind: "audit";
};

/** A row of the event log as it stands on disk. */
export type LogEntry = {
  /** Who. */
  actor: Actor;
  /** When it was written. */
  at: string;
  /** What. */
  body: LogBody;
  /** Lower-case hex SHA-256 over the row before's hash and this row's content. */
  hash: string;
  /** 1 for the first row, rising by one without gaps. */
  seq: number;
};

/** A name and a password. */
export type LogIn = {
  password: string;
  username: string;
};

/** An incident that is made up. */
export type MadeUp = {
  /** When; now without. */
  at?: string | null;
  /** In which grid. */
  grid: Id;
  /** What harm. */
  hazard: Hazard;
  /** How grave. */
  level: Level;
  owner?: Owner | null;
  rule?: Id | null;
};

/** Alarms set beside the incidents of the same hazard that share a source or a grid. */
export type Matched = {
  /** Alarms that meet incidents found false or a nuisance, and none found true. */
  false_alarms: number;
  /** Incidents found true that no alarm meets; at most 20. */
  missed: Id[];
  /** Alarms that meet an incident without a verdict. */
  open: number;
  /** `true_alarms` of those judged, in percent; none while nothing was judged. */
  precision?: number | null;
  /** Those among them that an alarm meets, in percent; none when there was no such incident. */
  recall?: number | null;
  /** Alarms that meet an incident found true. */
  true_alarms: number;
  /** Incidents found true in the rule's own grids and hazard. */
  true_incidents: number;
  /** Alarms that meet no incident: nobody has judged them. */
  unmatched: number;
};

/** A name in a condition. */
export type NameSight = {
  /** How old it is, in seconds. */
  age_s?: number | null;
  /** Why there is no usable value: `no_value`, `too_old`, `no_limit`, `no_tag`, `broker_away`. */
  missing?: string | null;
  /** As written. */
  name: string;
  /** The reading it stands for, when it is one. */
  reading?: string | null;
  /** When the value was received, of a reading. */
  received_at?: string | null;
  /** Its value; none when there is none. */
  value?: unknown;
};

/** A camera that shows the place of an incident. */
export type NearCamera = {
  /** Metres from the incident's place, when both are known. */
  distance_m?: number | null;
  /** Whether it is known to look at one of the incident's sources. */
  looks_at: boolean;
  /** The camera. */
  source: Source;
};

/** A new token. */
export type NewTokenBody = {
  id: string;
  role: Role;
  scope?: Scope;
};

/** A new person. */
export type NewUser = {
  name: string;
  password: string;
  role: Role;
  scope?: Scope;
};

/** A rule at a source that raises often. */
export type Noisy = {
  /** Alarms announced. */
  alarms: number;
  /** Whose rule it is. */
  desk?: string | null;
  /** Closed as false. */
  judged_false: number;
  /** The rule. */
  rule: string;
  /** Of all alarms of the report, 0 to 1. */
  share: number;
  /** The source. */
  source: string;
};

/** One message to one recipient over one channel. */
export type Notification = {
  /** When it was planned. */
  at: string;
  /** Over which channel. */
  channel: string;
  /** What is said: title, kind and the like. */
  content: Record<string, unknown>;
  /** When it was sent or given up. */
  ended_at?: string | null;
  /** Why the last try failed, or why it was given up. */
  error?: string | null;
  /** In which grid that is. */
  grid?: string | null;
  /** Its number. */
  id: number;
  /** What it is about; none for a summary. */
  incident?: string | null;
  /** How grave. */
  level: Level;
  /** When it is tried next, while it waits. */
  next_try?: string | null;
  /** The id of a person; `*` for the one place behind the channel; `role:ROLE` when nobody was on duty. */
  recipient: string;
  /** Where it stands. */
  state: NotificationState;
  /** Which step of which route says it, as `river/1`. */
  step: string;
  /** How often it was tried. */
  tries: number;
};

/** Messages, the newest first. */
export type NotificationPage = {
  /** The newest first. */
  items: Notification[];
  /** Where the next page begins; none on the last. */
  next_cursor?: number | null;
};

/** Where a message stands. */
export type NotificationState = "waiting" | "held" | "summed" | "sent" | "dead";

/** What is so now. */
export type NowFigures = {
  /** Alarms that are active. */
  active: number;
  /** When: at most a second ago. */
  at: string;
  /** Since when there is a flood; none when there is none. */
  flood_since?: string | null;
  /** Announced in the last ten minutes. */
  last_10_min: number;
  /** Announced in the last hour. */
  last_hour: number;
  /** Put aside. */
  shelved: number;
  /** Stand for more than a day. */
  standing: number;
  /** Announced and not acknowledged. */
  unacknowledged: number;
};

/** One value of one reading of one source. */
export type Observation = {
  /** When it was true in the world, by the source's clock where it has one, else the time of receipt. */
  phenomenon_time: string;
  /** How far the result can be trusted. */
  quality: Quality;
  /** Which quantity. */
  reading: string;
  /** When the hub received it, by the hub's clock. */
  received_at: string;
  /** Whether a broker replayed it as a retained message: it may set state but is no event. */
  retained?: boolean;
  /** Who observed. */
  source: Id;
  /** The result. */
  value: unknown;
};

/** Observations by phenomenon time, the oldest first; or steps. */
export type ObservationPage = {
  /** Steps, with `step_s`. */
  buckets: BucketView[];
  /** Single observations, without `step_s`. */
  items: Observation[];
  /** Where to go on as `from`; none when all is there. */
  next_from?: string | null;
};

/** The metrics of OPC UA part 9 for the time of the report; `Current...` is now. */
export type OpcUa = {
  /** Alarms announced. */
  AlarmCount: number;
  /** The mean of so many minutes. */
  AverageAlarmRate: number;
  /** Alarms in the last so many minutes. */
  CurrentAlarmRate: number;
  /** The longest time an alarm was active, in milliseconds, active ones so far. */
  MaximumActiveState: number;
  /** The most in so many minutes. */
  MaximumAlarmRate: number;
  /** How often the same rule was raised again at the same source, at most. */
  MaximumReAlarmCount: number;
  /** The longest time an announced alarm was not acknowledged, in milliseconds. */
  MaximumUnAck: number;
  /** Minutes over which rates are calculated. */
  Rate: number;
  /** Since when the others count: the begin of the report, or of the log. */
  StartTime: string;
};

/** Where an incident comes from. */
export type Origin = {
  /** An alarm. */
  id: Id;
  type: "alarm";
} | {
  /** A person's report. */
  id: Id;
  type: "person";
};

/** Sources that went away together, and a guess why: so many of all that share it. */
export type OutageGroup = {
  /** How many went away within 20 minutes. */
  away: number;
  /** What they share. */
  cause: CauseView;
  /** When the first went. */
  first: string;
  /** Names the group as long as its cause and kind stay. */
  id: string;
  /** Cameras or sensors; they are counted apart. */
  kind: Kind;
  /** When the last went. */
  last: string;
  /** How many share the cause in all, as far as the caller sees them. */
  members: number;
  /** How many for each reason; what has none counts under its state. */
  reasons: Record<string, number>;
};

/** What is away in the caller's scope. */
export type OutagePage = {
  /** How many of them are in no group. */
  alone: number;
  /** When it was looked at. */
  at: string;
  /** How many sources are away, whatever the page and group. */
  away: number;
  /** All groups, the largest first. */
  groups: OutageGroup[];
  /** The sources, the newest outage first. */
  items: OutageView[];
  /** Where the next page begins; none on the last. */
  next_cursor?: string | null;
  /** How many match on all pages. */
  total: number;
};

/** A source that is away. */
export type OutageView = {
  /** The group it is in; none when it failed by itself. */
  group?: string | null;
  /** Camera or sensor. */
  kind: Kind;
  /** Why, as a code the console translates. */
  reason?: string | null;
  /** Since when. */
  since: string;
  /** Which. */
  source: string;
  /** How it is. */
  state: SourceState;
};

/** The outbox. */
export type OutboxPage = {
  /** Messages that were given up. */
  dead?: number | null;
  /** Messages that wait for a summary. */
  held?: number | null;
  /** The newest first. */
  items: Notification[];
  /** Where the next page begins; none on the last. */
  next_cursor?: number | null;
  /** Messages to be sent, over all; none for a caller with a scope. */
  waiting?: number | null;
};

/** How an incident ended, if it did. */
export type Outcome = {
  type: "closed";
  /** What it turned out to be. */
  verdict: Verdict;
} | {
  type: "rejected";
} | {
  /** The incident that goes on. */
  into: Id;
  type: "merged";
} | {
  type: "cancelled";
};

/** The five kinds of owner. */
export type Owner = "governance" | "police" | "traffic" | "telecom" | "resident";

/** Counts of an owner's sources. */
export type OwnerRates = Rates & {
  /** Whose. */
  owner: Owner;
};

/** Somebody who can be told. */
export type PersonView = {
  /** As routes name them. */
  id: string;
  /** As they are called. */
  name: string;
  /** In which roles they are on duty now. */
  on_duty: string[];
  /** Messages in an hour before further ones are put together. */
  per_hour_max?: number | null;
  /** By which of app, e-mail and robots they can be reached. */
  reached_by: string[];
};

/** A point on the ground in WGS 84 degrees. */
export type Place = {
  /** Latitude, -90 to 90. */
  lat: number;
  /** Longitude, -180 to 180. */
  lon: number;
};

/** Which of a camera's two streams. */
export type Profile = "main" | "sub";

/** When a camera's stream is pulled. */
export type PullMode = "always" | "demand";

/** Why a resident's camera is opened. */
export type Purpose = {
  purpose: string;
};

/** How far a result can be trusted (OPC UA's three). */
export type Quality = "good" | "uncertain" | "bad";

/** Counts of sources, and the two rates. */
export type Rates = {
  /** Those that give nothing, for a reason that is known. */
  away: number;
  /** Those that deliver, and as they should. */
  intact: number;
  /** Intact of those that are known, 0 to 1; none while none is. */
  intact_rate?: number | null;
  /** Those that deliver. */
  online: number;
  /** Online of those that are known, 0 to 1; none while none is. */
  online_rate?: number | null;
  /** How many are in each state; those that are in none are left out. */
  states: Record<string, number>;
  /** All of them. */
  total: number;
  /** Those that nothing can be said of yet; in neither rate. */
  unknown: number;
};

/** Counts and rates of the caller's scope. */
export type RatesView = {
  /** Of all sources. */
  all: Rates;
  /** When they were counted. */
  at: string;
  /** Of each grid that has some, with all grids inside it. */
  grids: GridRates[];
  /** Of each owner that has some. */
  owners: OwnerRates[];
};

/** A sentence of the answer. */
export type Reason = {
  /** What kind of sentence, as `waits`; the console translates it. */
  key: string;
  /** In English. */
  text: string;
  /** What stands in it. */
  values: Record<string, unknown>;
};

/** What a reload came to. */
export type Reloaded = {
  /** Whether anything is another than before. */
  changed: boolean;
  /** How many rules there are. */
  rules: number;
  /** How long it took, in seconds. */
  took_s: number;
  /** Hash over their meaning. */
  version: string;
};

/** A person's report. */
export type Report = {
  grid: Id;
  hazard: Hazard;
  level: Level;
  place?: Place | null;
  source?: Id | null;
  text?: string;
  title: string;
};

/** A role; each includes what is listed for it in [`Role::has`]. */
export type Role = "viewer" | "responder" | "operator" | "lead" | "admin";

/** Who is on duty in a role now. */
export type RoleView = {
  /** Ids of persons; empty when nobody is. */
  on_duty: string[];
  /** The role. */
  role: string;
};

/** The duty roster as it stands now. */
export type RosterView = {
  /** When it was looked at. */
  at: string;
  /** All persons; their addresses are not shown. */
  persons: PersonView[];
  /** All roles. */
  roles: RoleView[];
  /** The shifts as they are in the file. */
  shifts: Record<string, unknown>[];
};

/** The routes. */
export type RoutesView = {
  /** The names of the channels, with their kind. */
  channels: ChannelView[];
  /** The routes as they are in the file. */
  items: Record<string, unknown>[];
};

/** A rule to be written. */
export type RuleBody = {
  /** Why; up to 500 characters. */
  note?: string;
  /** A whole rule file that holds this rule alone, and perhaps calendars. */
  text: string;
};

/** A step in the life of a rule. */
export type RuleChange = {
  /** The rule. */
  rule: Id;
  /** Where it is in its life after the step: `draft`, `shadow`, `active`, `retired`. */
  status: string;
  /** The step. */
  step: RuleStep;
  /** Hash of its meaning after the step. */
  version: string;
};

/** A rule's quality. */
export type RuleFigures = KpiJudged & {
  /** The rule. */
  rule: string;
  /** How its false ones stand against the line. */
  verdict: KpiVerdict;
};

/** Where a rule is in its life. */
export type RuleStatus = "draft" | "shadow" | "active" | "retired";

/** What was done to a rule. */
export type RuleStep = {
  /** Why, in the author's words; may be empty. */
  note: string;
  /** The whole text. */
  text: string;
  type: "written";
} | {
  /** From. */
  from: string;
  /** Whether a lead went on without what a promotion asks for. */
  overridden?: boolean;
  /** What it rests on: `backtest` or `shadow`, for a promotion. */
  proof?: string | null;
  /** Why. */
  reason: string;
  /** The whole text after it. */
  text: string;
  type: "status_set";
} | {
  /** From. */
  from: string;
  /** In a day. */
  per_day: number;
  /** Alarms it would have raised. */
  raised: number;
  /** To. */
  to: string;
  type: "backtested";
};

/** A step in the life of a rule, as the log has it. */
export type RuleStepView = {
  /** When. */
  at: string;
  /** Who. */
  by: Actor;
  /** What, with the text of that version. */
  change: RuleChange;
  /** The row's number in the log. */
  seq: number;
};

/** A rule's text and what was done to it. */
export type RuleText = {
  /** The file it stands in. */
  file: string;
  /** The rule. */
  id: Id;
  /** Where it is in its life. */
  status: RuleStatus;
  /** What was done to it, the oldest first. */
  steps: RuleStepView[];
  /** The text, a whole file that holds this rule alone. */
  text: string;
  /** Hash of its meaning. */
  version: string;
  /** Whether it may be written here; else its file is edited by hand, and the text may be copied under another id. */
  writable: boolean;
};

/** A text to look at. */
export type RuleTextBody = {
  /** A whole rule file. */
  text: string;
};

/** The answer in one word. */
export type RuleVerdict = "raised" | "waiting" | "unknown" | "not_met" | "closed" | "not_watched";

/** Which part of the town a caller may see. An empty list means no limit. */
export type Scope = {
  /** Grids, each with all grids inside it. */
  grids?: Id[];
  /** Owners of sources. */
  owners?: Owner[];
};

/** A state that lasted. */
export type SegmentView = {
  /** When it began. */
  from: string;
  /** Changes within it that were too many to keep: the state is that of its beginning. */
  merged: number;
  /** Why, as a code the console translates. */
  reason?: string | null;
  /** Which; `unknown` with the reason `hub_down` while no hub ran, and `not_heard` before the first word. */
  state: SourceState;
  /** When it ended; the last one, now. */
  to: string;
};

/** Who is logged in. */
export type SessionView = {
  /** When the log-in ends without a further request. */
  expires_at?: string | null;
  /** The town's name. */
  town: string;
  /** Who. */
  user: UserView;
};

/** How bad a finding is. */
export type Severity = "error" | "warning";

/** What a rule said on trial in an hour. */
export type ShadowHour = {
  /** When the hour begins. */
  hour: string;
  /** Alarms raised. */
  raised: number;
};

/** What a rule said on trial of a source. */
export type ShadowSource = {
  /** Alarms raised. */
  raised: number;
  /** The source. */
  source: Id;
};

/** What a rule said on trial. */
export type ShadowView = {
  /** Alarms that stand. */
  active: number;
  /** The alarms, the newest first; at most 500. */
  alarms: Alarm[];
  /** By hour of the clock (UTC). */
  by_hour: ShadowHour[];
  /** By source, the noisiest first. */
  by_source: ShadowSource[];
  /** Whether older ones were left out. */
  more: boolean;
  /** Alarms raised. */
  raised: number;
  /** The rule. */
  rule: Id;
  /** When it first said something; none when it has not. */
  since?: string | null;
};

/** For how long, and why. */
export type ShelveBody = {
  /** 1 to 480 minutes. */
  minutes: number;
  /** Why; required. */
  reason: string;
};

/** Which shift. */
export type Shift = "day" | "night";

/** A kind of shift over the whole time. */
export type ShiftFigures = {
  /** Alarms announced. */
  alarms: number;
  /** Hours of it that have been. */
  covered_h: number;
  /** The figures that hours alone give. */
  kpis: Kpi[];
  /** Which. */
  shift: Shift;
};

/** A camera or a sensor as the registry knows it. Holds no secret: passwords stay in `storage`. */
export type Source = {
  /** What it is, as rules select it: `river_gauge`, `smoke`, `street`, `school_gate`. */
  class: string;
  /** Sensor: the payload format, as `raw`, `json`, `senml`, `map:level=/d/0/v`. Camera: empty. */
  format?: string;
  /** The grid it stands in. */
  grid: Id;
  /** Its id, unique over cameras and sensors. */
  id: Id;
  /** Sensor: how often it reports, in seconds; none when it reports on change only. */
  interval_s?: number | null;
  /** Camera or sensor. */
  kind: Kind;
  /** Whether a camera is pulled always or on demand; sensors are always `always`. */
  mode: PullMode;
  /** Its name, in the town's language. */
  name: string;
  /** Which of the five kinds of owner it belongs to. */
  owner: Owner;
  place?: Place | null;
  /** Free attributes. Known keys: `limits.NAME` (a number for rules), `sub` (URL or path of a camera's sub stream), `looks_at` (source ids a camera sees, separated by spaces), `bearing` (degrees), `transport` (`tcp` or `udp`), `backend` (`auto`, `retina` or `ffmpeg`), `tls` (which certificate of an `rtsps://` camera is trusted), `priority` (`key` or `usual`), `service` (`out` or `maintenance`: no rule is about it) with `service_until` (RFC 3339), `site` (what it watches over), `gateway`, `broker` (which of the configured brokers a sensor is on), `offline_topic`. */
  tags?: Record<string, string>;
  /** Sensor: MQTT topic, may hold the wildcards `+` and `#`. Camera: empty. */
  topic?: string;
  /** Sensor: UCUM unit of the reading, as `m`, `Cel`, `%`; may be empty. */
  unit?: string;
  /** Camera: main stream, `rtsp://host[:port]/path` or `rtsps://`, without credentials. Sensor: empty. */
  url?: string;
};

/** Alarms raised at a source. */
export type SourceCount = {
  /** How long they stood in all, within the window, in seconds. */
  active_s: number;
  /** In a day, on average. */
  per_day: number;
  /** How many. */
  raised: number;
  /** The source. */
  source: Id;
};

/** A page of sources. */
export type SourcePage = {
  /** By id. */
  items: SourceView[];
  /** Where the next page begins; none on the last. */
  next_cursor?: string | null;
  /** How many match on all pages. */
  total: number;
};

/** The state of a source as people see it. */
export type SourceState = "unknown" | "connecting" | "live" | "degraded" | "stalled" | "auth_failed" | "offline" | "idle" | "silent";

/** The latest word about one source (sensor) or one stream of it (camera). */
export type SourceStatus = {
  /** What happened, in English, for the log reader; never holds a secret. */
  detail?: string | null;
  /** Camera or sensor. */
  kind: Kind;
  /** When the last frame or reading arrived. */
  last_data_at?: string | null;
  profile?: Profile | null;
  /** A stable code the console translates, as `connect_refused`, `no_key_frame`, `no_frames`, `last_will`. */
  reason?: string | null;
  /** Since when it is in this state. */
  since: string;
  /** The source. */
  source: Id;
  /** The state. */
  state: SourceState;
  stream?: StreamFacts | null;
};

/** A source with its state. */
export type SourceView = Source & {
  /** The last value of each reading. */
  readings: Observation[];
  /** The state as a whole: that of the sub stream while it is wanted, else of the one that tells most. */
  state: SourceState;
  /** The state of each stream; a sensor has one. */
  statuses: SourceStatus[];
};

/** Where a rule goes. */
export type StatusBody = {
  /** Into force without trial or second person, on the caller's own account. */
  override?: boolean;
  /** Why; required, up to 500 characters. */
  reason: string;
  status: RuleStatus;
};

/** The seven steps 上报 受理 立案 派遣 处置 核查 结案; an incident stands at the last one done. */
export type Step = "report" | "accept" | "file" | "dispatch" | "handle" | "verify" | "close";

/** What a step needs to be told. */
export type StepBody = {
  /** For merge: the incident that goes on. */
  into?: string | null;
  level?: Level | null;
  /** Why; required for return, reject, merge, suspend, cancel, reopen and for closing as false or nuisance. */
  reason?: string | null;
  /** For dispatch: the user's name. */
  responder?: string | null;
  /** For note. */
  text?: string | null;
  verdict?: Verdict | null;
};

/** Measured facts about a live stream. */
export type StreamFacts = {
  backend?: Backend | null;
  /** Bits a second, measured over the last seconds. */
  bitrate_bps: number;
  /** The camera's own clock minus the hub's, in milliseconds, by its RTCP sender reports: positive when it is ahead. Good to the way of the packets and a turn of reading, together below half a second as a rule. None when it sends no time, or FFmpeg reads it. */
  clock_offset_ms?: number | null;
  /** RFC 6381 codec string, as `avc1.4d401e`, `hvc1.1.6.L93.B0`. */
  codec: string;
  /** From DESCRIBE to the first key frame, in milliseconds. */
  first_frame_ms: number;
  /** Frames a second, measured over the last seconds. */
  fps: number;
  /** Frames between the last two key frames; 0 until known. */
  gop_frames: number;
  /** Height in pixels. */
  height: number;
  /** What could be better though the stream is well. */
  hints?: Hint[];
  transport?: Transport | null;
  /** Width in pixels. */
  width: number;
};

/** A recipient on a channel. */
export type TargetView = {
  /** Over which channel. */
  channel: string;
  /** To whom. */
  recipient: string;
};

/** How long a condition has held. */
export type TimerSight = {
  /** When it will have held long enough; none while it pauses. */
  due?: string | null;
  /** For how long it has held, gaps left out, in seconds. */
  elapsed_s: number;
  /** When it first held. */
  since: string;
};

/** A short text in both languages of the console. */
export type Title = {
  /** English. */
  en: string;
  /** Chinese. */
  zh: string;
};

/** A token's secret, told once. */
export type TokenSecret = {
  /** Its name. */
  id: string;
  /** What to send as `Authorization: Bearer`. */
  token: string;
};

/** A token without its secret. */
export type TokenView = {
  /** Since when. */
  created_at: string;
  /** Its name. */
  id: string;
  /** When it was last used, to the minute. */
  last_used_at?: string | null;
  /** The role. */
  role: Role;
  /** Which part of the town. */
  scope: Scope;
};

/** Seconds from the report, of those that got so far. */
export type Took = {
  /** How many got so far. */
  count: number;
  /** Half of them took at most so long. */
  median_s?: number | null;
  /** Nine of ten took at most so long. */
  p90_s?: number | null;
};

/** How a camera's packets travel. */
export type Transport = "tcp" | "udp";

/** A person or token as the API shows it. */
export type UserView = {
  /** The name. */
  name: Id;
  /** The role. */
  role: Role;
  /** Which part of the town. */
  scope: Scope;
};

/** What it turned out to be. */
export type Verdict = "true" | "false" | "nuisance";

/** What would be told. */
export type WouldPage = {
  /** Each step of each route that is for it. */
  items: WouldView[];
};

/** What a step would tell. */
export type WouldView = {
  /** How many seconds after the beginning. */
  after_s: number;
  /** Whom the step names and nobody stands behind then. */
  nobody: TargetView[];
  /** Which route. */
  route: string;
  /** Which of its steps, from 0. */
  step: number;
  /** Who would be told. */
  told: TargetView[];
  /** What makes it needless: `acknowledged`, `accepted`, `dispatched` or `never`. */
  unless: string;
};
