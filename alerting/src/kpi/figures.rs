//! From what is kept to a report.

use std::collections::{BTreeMap, HashMap};

use model::{Level, RuleId, SourceId, Timestamp, Verdict};

use super::cause::Cause;
use super::desk::{Desk, WINDOW_S, second};
use super::fold::Kpis;
use super::hours::{HOUR_S, Hour, KEPT_HOURS};
use super::lines::{self, Kpi};
use super::picture::Picture;
use super::raises::Pair;
use super::report::{
    CameraFigures, FloodSpan, KpiJudged, KpiPeriod, KpiReport, LevelTimes, LimitsKept, Noisy, NowFigures, OpcUa,
    RuleFigures, ShiftFigures, Took,
};
use super::shifts::{By, Shift, Shifts, Stretch};

const DAY_S: i64 = 86_400;
/// An hour with more alarms is past what a person reads.
const BUSY_HOUR: u32 = 30;
const TOP: usize = 10;
const MAX_RULES: usize = 100;
const MAX_CAMERAS: usize = 20;
/// Less than a minute gives no rate.
const SHORTEST_S: i64 = 60;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Query {
    /// From; moved back to its whole hour.
    pub from: Timestamp,
    /// Before; moved on to a whole hour.
    pub to: Timestamp,
    /// The desk; none for the whole hub.
    pub desk: Option<String>,
    /// What periods are told by.
    pub by: By,
}

/// The registry as far as a report needs it.
pub trait Cameras {
    /// Whether a source is a camera.
    fn is_camera(&self, source: &SourceId) -> bool;
    /// How many there are.
    fn count(&self) -> usize;
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// No rule of that owner has raised an alarm.
    #[error("desk: {0:?} is not known")]
    NoSuchDesk(String),
    /// The end is not after the begin.
    #[error("to: must be after from")]
    Empty,
    /// More than is kept.
    #[error("from and to: at most 45 days apart")]
    TooLong,
}

/// A desk over hours; `covered` is the part of them that has been and has figures, in seconds.
struct Scope<'a> {
    desk: &'a Desk,
    from: i64,
    to: i64,
    began_s: i64,
    clock_s: i64,
}

impl Scope<'_> {
    fn covered_s(&self, from: i64, to: i64) -> i64 {
        ((to * HOUR_S).min(self.clock_s) - (from * HOUR_S).max(self.began_s)).max(0)
    }

    fn period(&self, stretch: Stretch) -> KpiPeriod {
        let Stretch { from, to, shift } = stretch;
        let (sum, covered_s) = (self.desk.hours.sum(from, to), self.covered_s(from, to));
        let per_hour = rate(sum.all_raised(), covered_s, HOUR_S);
        let suppressed = Cause::ALL.iter().zip(sum.suppressed).filter(|(_, count)| *count > 0);
        KpiPeriod {
            from: second(from * HOUR_S),
            to: second(to * HOUR_S),
            shift,
            covered_h: covered_s as f64 / HOUR_S as f64,
            alarms: sum.all_raised(),
            raised: sum.raised.into(),
            cleared: sum.cleared.into(),
            acknowledged: sum.acknowledged.into(),
            suppressed: suppressed.map(|(cause, count)| (cause.as_str().to_owned(), count)).collect(),
            shelvings: sum.shelvings,
            per_hour,
            verdict: lines::PER_HOUR.verdict(per_hour),
            peak_10_min: sum.peak,
            windows_over_10: sum.crowded,
            flood_s: sum.flood_s,
            floods: sum.floods,
            chattering: sum.chattering,
            fleeting: sum.fleeting,
            standing: sum.standing,
        }
    }

    /// The figures that hours alone give, over some stretches.
    fn kpis(&self, stretches: &[Stretch]) -> Vec<Kpi> {
        let mut sum = Hour::default();
        let (mut busy, mut covered_s) = (0, 0);
        for stretch in stretches {
            covered_s += self.covered_s(stretch.from, stretch.to);
            for (_, hour) in self.desk.hours.range(stretch.from, stretch.to) {
                sum.add(hour);
                busy += u32::from(hour.all_raised() > BUSY_HOUR);
            }
        }
        let share = |count: u32, each_s: i64| rate(count, covered_s, each_s).map(|share| share.min(1.0));
        let measured = covered_s > 0;
        let count = |count: u32| measured.then_some(f64::from(count));
        let all = sum.all_raised();
        let of_all = |part: u32| (all > 0).then(|| f64::from(part) / f64::from(all));
        let [blue, yellow, orange, red] = sum.raised;
        vec![
            lines::PER_HOUR.of(rate(all, covered_s, HOUR_S)),
            lines::PER_WINDOW.of(rate(all, covered_s, WINDOW_S)),
            lines::CROWDED.of(share(sum.crowded, WINDOW_S)),
            lines::PEAK.of(count(sum.peak)),
            lines::BUSY_HOURS.of(share(busy, HOUR_S)),
            lines::FLOOD.of(share(sum.flood_s, 1)),
            lines::CHATTERING.of(count(sum.chattering)),
            lines::FLEETING.of(count(sum.fleeting)),
            lines::STANDING.of(count(sum.standing)),
            lines::LOW.of(of_all(blue)),
            lines::MEDIUM.of(of_all(yellow)),
            lines::HIGH.of(of_all(orange + red)),
        ]
    }
}

impl Kpis {
    /// The report that is asked for, as of the last look at the clock.
    pub fn report(&self, query: &Query, shifts: &Shifts, cameras: &dyn Cameras) -> Result<KpiReport, NoReport> {
        Ok(self.picture(query)?.report(shifts, cameras))
    }
}

impl Picture {
    /// The report.
    pub fn report(&self, shifts: &Shifts, cameras: &dyn Cameras) -> KpiReport {
        let (desk, from, to) = (&self.desk, self.from, self.to);
        let scope = Scope { desk, from, to, began_s: self.began_s, clock_s: self.clock_s };
        let whole = Stretch { from, to, shift: None };
        let periods: Vec<KpiPeriod> =
            shifts.stretches(self.by, from, to).into_iter().map(|stretch| scope.period(stretch)).collect();
        let counts = Counts::of(self);
        let total = scope.period(whole);
        let covered_s = scope.covered_s(from, to);
        let top = counts.top(self, total.alarms);
        let limits = counts.limits.clone();
        let mut kpis = scope.kpis(&[whole]);
        kpis.extend([
            lines::TOP_TEN.of((total.alarms > 0).then(|| top.iter().map(|one| one.share).sum())),
            lines::FALSE.of(counts.all.false_share()),
            lines::PER_CAMERA.of(counts.per_camera(covered_s, cameras)),
            lines::LIMITS_KEPT.of((limits.steps > 0).then(|| 1.0 - f64::from(limits.late) / f64::from(limits.steps))),
        ]);
        KpiReport {
            from: second(from * HOUR_S),
            to: second(to * HOUR_S),
            covered_h: total.covered_h,
            desk: desk.name.clone(),
            desks: self.names.iter().flatten().cloned().collect(),
            by: self.by,
            zone: shifts.zone_name(second(self.clock_s)),
            day_shift: shifts.day_text(),
            opc_ua: self.opc_ua(&scope, &total, &counts),
            now: self.now_figures(),
            shifts: shift_figures(&scope, shifts),
            floods: floods(desk, from, to),
            rules: counts.rules(),
            cameras: counts.cameras(covered_s, cameras),
            times: counts.times(),
            kpis,
            total,
            periods,
            top,
            limits,
        }
    }

    fn opc_ua(&self, scope: &Scope<'_>, total: &KpiPeriod, counts: &Counts) -> OpcUa {
        let (sum, now) = (scope.desk.hours.sum(scope.from, scope.to), self.now);
        // What is active now counts so far, when the report reaches until now.
        let is_current = scope.to * HOUR_S >= self.clock_s;
        let so_far = |ended: i64, now: i64| ended.max(if is_current { now } else { 0 }) as f64;
        OpcUa {
            start_time: second((scope.from * HOUR_S).max(self.began_s)),
            alarm_count: total.alarms,
            rate: (WINDOW_S / 60) as u16,
            current_alarm_rate: f64::from(scope.desk.rates().0),
            maximum_alarm_rate: f64::from(total.peak_10_min),
            average_alarm_rate: rate(total.alarms, scope.covered_s(scope.from, scope.to), WINDOW_S).unwrap_or(0.0),
            maximum_active_state: so_far(sum.longest_active_ms, now.longest_active_ms),
            maximum_un_ack: so_far(sum.longest_unacknowledged_ms, now.longest_unacknowledged_ms),
            maximum_re_alarm_count: counts.pairs.iter().map(|pair| pair.alarms.saturating_sub(1)).max().unwrap_or(0),
        }
    }

    fn now_figures(&self) -> NowFigures {
        let (desk, now) = (&self.desk, self.now);
        let (last_10_min, last_hour) = desk.rates();
        NowFigures {
            at: second(self.clock_s),
            last_10_min,
            last_hour,
            active: now.active,
            unacknowledged: now.unacknowledged,
            shelved: now.shelved,
            standing: desk.standing(),
            flood_since: desk.told().map(|flood| flood.since),
        }
    }
}

/// How many in `each_s` seconds; none of less than a minute. Of less than that time it is what there was: three alarms in
/// a hub's first minute are not a hundred and eighty an hour.
fn rate(count: u32, covered_s: i64, each_s: i64) -> Option<f64> {
    (covered_s >= SHORTEST_S).then(|| f64::from(count) * each_s as f64 / covered_s.max(each_s) as f64)
}

/// Alarms in 45 days, of a day at least.
fn in_45_days(count: u32, covered_s: i64) -> f64 {
    f64::from(count) * (KEPT_HOURS * HOUR_S) as f64 / covered_s.max(DAY_S) as f64
}

fn shift_figures(scope: &Scope<'_>, shifts: &Shifts) -> Vec<ShiftFigures> {
    let all = shifts.stretches(By::Shift, scope.from, scope.to);
    let of = |shift: Shift| -> Vec<Stretch> { all.iter().filter(|one| one.shift == Some(shift)).copied().collect() };
    [Shift::Day, Shift::Night]
        .into_iter()
        .map(|shift| {
            let mine = of(shift);
            let covered_s: i64 = mine.iter().map(|one| scope.covered_s(one.from, one.to)).sum();
            ShiftFigures {
                shift,
                covered_h: covered_s as f64 / HOUR_S as f64,
                alarms: mine.iter().map(|one| scope.desk.hours.sum(one.from, one.to).all_raised()).sum(),
                kpis: scope.kpis(&mine),
            }
        })
        .collect()
}

fn floods(desk: &Desk, from: i64, to: i64) -> Vec<FloodSpan> {
    let (from_s, to_s) = (from * HOUR_S, to * HOUR_S);
    let touches =
        desk.floods.iter().filter(|flood| flood.since_s < to_s && flood.until_s.is_none_or(|until| until > from_s));
    touches
        .map(|flood| FloodSpan {
            since: second(flood.since_s),
            until: flood.until_s.map(second),
            alarms: flood.alarms,
            peak: flood.peak,
        })
        .collect()
}

/// Alarms and what people found them to be, while they are counted.
#[derive(Debug, Clone, Default)]
struct Tally {
    alarms: u32,
    judged: u32,
    judged_false: u32,
    judged_nuisance: u32,
}

impl Tally {
    fn add(&mut self, verdict: Option<Verdict>) {
        self.alarms += 1;
        self.judged += u32::from(verdict.is_some());
        self.judged_false += u32::from(verdict == Some(Verdict::False));
        self.judged_nuisance += u32::from(verdict == Some(Verdict::Nuisance));
    }

    fn merge(&mut self, other: &Tally) {
        self.alarms += other.alarms;
        self.judged += other.judged;
        self.judged_false += other.judged_false;
        self.judged_nuisance += other.judged_nuisance;
    }

    fn false_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| f64::from(self.judged_false) / f64::from(self.judged))
    }

    fn told(&self) -> KpiJudged {
        KpiJudged {
            alarms: self.alarms,
            judged: self.judged,
            judged_false: self.judged_false,
            judged_nuisance: self.judged_nuisance,
            false_share: self.false_share(),
        }
    }
}

/// What the rings say about the time of a report: one walk over each.
struct Counts {
    /// By the number of rule and source.
    pairs: Vec<Tally>,
    rules: BTreeMap<RuleId, Tally>,
    sources: BTreeMap<SourceId, Tally>,
    all: Tally,
    /// Seconds by level: until acknowledged, dispatched, closed; and incidents.
    times: [(u32, [Vec<f64>; 3]); 4],
    limits: LimitsKept,
}

impl Counts {
    fn of(picture: &Picture) -> Self {
        let mut counts = Self {
            pairs: vec![Tally::default(); picture.pairs.len()],
            rules: BTreeMap::new(),
            sources: BTreeMap::new(),
            all: Tally::default(),
            times: Default::default(),
            limits: LimitsKept { steps: 0, late: 0 },
        };
        for raise in &picture.raises {
            counts.pairs[raise.pair as usize].add(raise.verdict);
        }
        // Fewer pairs than raises have texts to be compared.
        let (mut rules, mut sources) = (HashMap::<&RuleId, Tally>::new(), HashMap::<&SourceId, Tally>::new());
        for (pair, tally) in raised(picture, &counts.pairs) {
            rules.entry(&pair.rule).or_default().merge(tally);
            sources.entry(&pair.source).or_default().merge(tally);
            counts.all.merge(tally);
        }
        counts.rules = rules.into_iter().map(|(rule, tally)| (rule.clone(), tally)).collect();
        counts.sources = sources.into_iter().map(|(source, tally)| (source.clone(), tally)).collect();
        for case in &picture.cases {
            let (incidents, times) = &mut counts.times[case.level as usize];
            *incidents += 1;
            for (all, took) in times.iter_mut().zip([case.acknowledged, case.dispatched, case.closed]) {
                all.extend(took.map(|ms| ms as f64 / 1_000.0));
            }
            counts.limits.steps += case.steps;
            counts.limits.late += case.late;
        }
        counts
    }

    fn top(&self, picture: &Picture, all: u32) -> Vec<Noisy> {
        let mut pairs: Vec<(&Pair, &Tally)> = raised(picture, &self.pairs).collect();
        let order = |(a, x): &(&Pair, &Tally), (b, y): &(&Pair, &Tally)| {
            y.alarms.cmp(&x.alarms).then_with(|| (&a.rule, &a.source).cmp(&(&b.rule, &b.source)))
        };
        if pairs.len() > TOP {
            pairs.select_nth_unstable_by(TOP, order);
            pairs.truncate(TOP);
        }
        pairs.sort_by(order);
        let told = |(pair, tally): (&Pair, &Tally)| Noisy {
            rule: pair.rule.clone(),
            source: pair.source.clone(),
            desk: picture.names[usize::from(pair.desk)].clone(),
            alarms: tally.alarms,
            share: f64::from(tally.alarms) / f64::from(all.max(1)),
            judged_false: tally.judged_false,
        };
        pairs.into_iter().map(told).collect()
    }

    fn rules(&self) -> Vec<RuleFigures> {
        let told = |(rule, tally): (&RuleId, &Tally)| RuleFigures {
            rule: rule.clone(),
            judged: tally.told(),
            verdict: lines::FALSE.verdict(tally.false_share()),
        };
        let mut rules: Vec<RuleFigures> = self.rules.iter().map(told).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.judged.alarms));
        rules.truncate(MAX_RULES);
        rules
    }

    fn cameras(&self, covered_s: i64, cameras: &dyn Cameras) -> Vec<CameraFigures> {
        let told = |(source, tally): (&SourceId, &Tally)| {
            let per_45_days = in_45_days(tally.alarms, covered_s);
            CameraFigures {
                source: source.clone(),
                judged: tally.told(),
                per_45_days,
                verdict: lines::PER_CAMERA.verdict(Some(per_45_days)),
            }
        };
        let mine = self.sources.iter().filter(|(source, _)| cameras.is_camera(source));
        let mut told: Vec<CameraFigures> = mine.map(told).collect();
        told.sort_by_key(|camera| std::cmp::Reverse(camera.judged.alarms));
        told.truncate(MAX_CAMERAS);
        told
    }

    /// Alarms of all cameras, for each of them, in 45 days at this rate.
    fn per_camera(&self, covered_s: i64, cameras: &dyn Cameras) -> Option<f64> {
        let alarms: u32 =
            self.sources.iter().filter(|(source, _)| cameras.is_camera(source)).map(|(_, tally)| tally.alarms).sum();
        (covered_s >= SHORTEST_S && cameras.count() > 0).then(|| in_45_days(alarms, covered_s) / cameras.count() as f64)
    }

    fn times(&self) -> Vec<LevelTimes> {
        let told = |level: Level| {
            let (incidents, [acknowledge, dispatch, close]) = &self.times[level as usize];
            LevelTimes {
                level,
                incidents: *incidents,
                acknowledge: took(acknowledge),
                dispatch: took(dispatch),
                close: took(close),
            }
        };
        Level::ALL.into_iter().rev().map(told).collect()
    }
}

/// The pairs that raised in the time of the report.
fn raised<'a>(picture: &'a Picture, tallies: &'a [Tally]) -> impl Iterator<Item = (&'a Pair, &'a Tally)> {
    let pairs = picture.pairs.iter().zip(tallies).filter(|(_, tally)| tally.alarms > 0);
    pairs.filter_map(|(pair, tally)| Some((pair.as_ref()?, tally)))
}

/// Median and ninetieth percentile, each a time that was really taken (nearest rank).
fn took(seconds: &[f64]) -> Took {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = |part: f64| {
        let place = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied()
    };
    Took { count: sorted.len() as u32, median_s: rank(0.5), p90_s: rank(0.9) }
}
