//! What an hour, a flood, a noisy rule and a closed incident come to.

use model::{AlarmChange, FloodChange, IncidentChange, Level, LogBody, Step, Verdict};

use super::testing::{Hub, at, kpi, title};
use super::*;

const DESK: &str = "fire-desk";

#[test]
fn rates_are_of_the_time_that_has_been() {
    let mut hub = Hub::new();
    for n in 0..13 {
        hub.raise(n * 250, &format!("r/s{n}/1"), DESK, Level::Blue, false);
    }
    let report = hub.told(3_600, 1, None);
    assert_eq!(kpi(&report, "alarms_per_hour"), (Some(13.0), KpiVerdict::Over));
    assert_eq!(kpi(&report, "alarms_per_10_min"), (Some(13.0 / 6.0), KpiVerdict::Over));
    // A day is asked for, half an hour more has been.
    let day = hub.told(5_400, 24, None);
    assert_eq!((day.covered_h, kpi(&day, "alarms_per_hour")), (1.5, (Some(13.0 / 1.5), KpiVerdict::Fair)));
    assert_eq!(day.periods.len(), 24);
    assert_eq!((day.periods[0].alarms, day.periods[1].per_hour, day.periods[2].per_hour), (13, Some(0.0), None));
    assert_eq!(day.opc_ua.alarm_count, 13);
    assert_eq!(day.now.last_hour, 5, "those of 1,800 s and before are an hour old");
}

#[test]
fn a_flood_begins_above_ten_and_ends_below_five_at_its_own_second() {
    let mut hub = Hub::new();
    for n in 0..10 {
        hub.raise(n * 10, &format!("r/s{n}/1"), DESK, Level::Yellow, false);
    }
    assert!(hub.kpis.floods().is_empty(), "ten are no flood");
    hub.raise(100, "r/s10/1", DESK, Level::Yellow, false);
    let on = hub.kpis.floods();
    assert_eq!(on.iter().map(|flood| flood.desk.as_deref()).collect::<Vec<_>>(), [None, Some(DESK)]);
    assert_eq!((on[0].since, on[0].alarms), (at(100), 11));
    assert_eq!(hub.say_floods(100), 2);
    // Alarms of 0 to 100 s: four are left when the seventh has gone, at 660 s.
    assert_eq!(hub.kpis.next_deadline(), Some(at(660)));
    hub.kpis.tick(at(659));
    assert_eq!(hub.kpis.floods().len(), 2);
    hub.kpis.tick(at(9_000));
    assert!(hub.kpis.floods().is_empty());
    let ended = hub.kpis.take_untold();
    assert_eq!(ended[0].at, at(660), "however late the clock is looked at");
    assert_eq!(ended[0].change, FloodChange::Ended { since: at(100), alarms: 11, peak: 11 });
    let report = hub.told(9_000, 3, Some(DESK));
    assert_eq!((report.total.flood_s, report.total.floods, report.floods.len()), (560, 1, 1));
    assert_eq!(kpi(&report, "time_in_flood"), (Some(560.0 / 9_000.0), KpiVerdict::Over));
    assert_eq!(kpi(&report, "peak_10_min"), (Some(11.0), KpiVerdict::Over));
    assert_eq!(report.total.windows_over_10, 1);
}

#[test]
fn a_flood_over_the_hour_counts_in_both_hours() {
    let mut hub = Hub::new();
    for n in 0..11 {
        hub.raise(3_500, &format!("r/s{n}/1"), DESK, Level::Yellow, false);
    }
    let report = hub.told(7_200, 2, None);
    assert_eq!((report.periods[0].flood_s, report.periods[1].flood_s), (100, 500));
}

#[test]
fn what_is_shelved_reaches_nobody_until_it_is_taken_back() {
    let mut hub = Hub::new();
    hub.raise(0, "r/s/1", DESK, Level::Orange, true);
    let report = hub.told(60, 1, Some(DESK));
    assert_eq!((report.total.alarms, report.total.suppressed["shelved"], report.now.shelved), (0, 1, 1));
    hub.change(120, "r/s/1", AlarmChange::Unshelved { by: None });
    let report = hub.told(180, 1, Some(DESK));
    assert_eq!((report.total.alarms, report.total.raised.orange, report.now.shelved), (1, 1, 0));
    assert_eq!(report.now.unacknowledged, 1);
}

#[test]
fn what_is_explained_and_put_aside_is_announced_when_neither_holds() {
    let cause = || model::alarm::Cause { alarm: "g/s/1".into(), rule: "g".into(), source: "s".into() };
    let mut hub = Hub::new();
    hub.raise(0, "r/s/1", DESK, Level::Orange, true);
    hub.change(10, "r/s/1", AlarmChange::Suppressed { by: cause() });
    hub.change(20, "r/s/1", AlarmChange::Unshelved { by: None });
    assert_eq!(hub.told(30, 1, None).total.alarms, 0, "another alarm still explains it");
    hub.change(40, "r/s/1", AlarmChange::Unsuppressed);
    let report = hub.told(50, 1, None);
    assert_eq!((report.total.alarms, report.total.suppressed["shelved"]), (1, 1));
}

#[test]
fn chatter_is_three_raises_in_a_minute_and_counts_once() {
    let mut hub = Hub::new();
    for (n, second) in [0, 25, 50, 75, 200, 225, 300].into_iter().enumerate() {
        hub.raise(second, &format!("r/s/{n}"), DESK, Level::Blue, false);
        hub.clear(second + if n == 0 { 10 } else { 11 }, &format!("r/s/{n}"));
    }
    let report = hub.told(3_600, 1, None);
    assert_eq!(kpi(&report, "chattering"), (Some(1.0), KpiVerdict::Over));
    assert_eq!(kpi(&report, "fleeting"), (Some(1.0), KpiVerdict::Over), "ten seconds, not eleven");
    assert_eq!(report.opc_ua.maximum_re_alarm_count, 6);
    assert_eq!(report.total.cleared.blue, 7);
}

#[test]
fn what_stands_for_more_than_a_day_counts_in_each_hour_in_which_it_does() {
    let mut hub = Hub::new();
    for n in 0..5 {
        hub.raise(10, &format!("r/s{n}/1"), DESK, Level::Blue, false);
    }
    hub.raise(86_300, "r/late/1", DESK, Level::Blue, false);
    hub.clear(93_700, "r/s0/1");
    let report = hub.told(101_000, 29, Some(DESK));
    let standing: Vec<u32> = report.periods[23..].iter().map(|period| period.standing).collect();
    assert_eq!(standing, [0, 5, 5, 5, 4, 4], "from 24 h and 10 s on");
    assert_eq!((kpi(&report, "standing"), report.now.standing), ((Some(5.0), KpiVerdict::Over), 4));
}

#[test]
fn an_incident_tells_times_limits_and_verdicts() {
    let mut hub = Hub::new();
    hub.raise(0, "r/cam1/1", DESK, Level::Red, false);
    hub.report(0, "I-1", "r/cam1/1", Level::Red);
    hub.raise(5, "r/cam2/1", DESK, Level::Blue, false);
    let alarm = "r/cam2/1".into();
    hub.step(5, "I-1", IncidentChange::AlarmJoined { alarm, source: "cam2".into(), level: Level::Blue });
    hub.step(30, "I-1", IncidentChange::Acknowledged);
    hub.step(150, "I-1", IncidentChange::DeadlineBreached { due: Step::Accept });
    hub.step(160, "I-1", IncidentChange::Advanced { from: Step::Report, to: Step::Accept });
    hub.step(170, "I-1", IncidentChange::Dispatched { from: Step::File, responder: "wang".into() });
    hub.step(400, "I-1", IncidentChange::Closed { from: Step::Accept, verdict: Verdict::False });
    let report = hub.told(3_600, 1, Some(DESK));
    let red = &report.times[0];
    assert_eq!((red.level, red.incidents), (Level::Red, 1));
    let medians = [&red.acknowledge, &red.dispatch, &red.close].map(|took| took.median_s);
    assert_eq!(medians, [Some(30.0), Some(170.0), Some(400.0)]);
    assert_eq!((report.limits.steps, report.limits.late), (2, 1));
    assert_eq!(kpi(&report, "limits_kept"), (Some(0.5), KpiVerdict::None));
    assert_eq!(kpi(&report, "false_alarms"), (Some(1.0), KpiVerdict::Over), "both of its alarms");
    assert_eq!((report.rules[0].judged.judged, report.cameras.len()), (2, 2));
    // Two cameras with one alarm each on their first day are far beyond one in 45 days.
    assert_eq!(kpi(&report, "alarms_per_camera"), (Some(45.0), KpiVerdict::Over));

    hub.step(3_700, "I-1", IncidentChange::Reopened);
    let report = hub.told(3_800, 1, Some(DESK));
    assert_eq!((kpi(&report, "false_alarms").0, report.times[0].close.count), (None, 0), "a verdict taken back");
}

#[test]
fn a_merged_incidents_alarms_take_the_verdict_of_the_other() {
    let mut hub = Hub::new();
    for n in 1..=2 {
        hub.raise(n, &format!("r/s{n}/1"), DESK, Level::Blue, false);
        hub.report(n, &format!("I-{n}"), &format!("r/s{n}/1"), Level::Blue);
    }
    hub.step(10, "I-1", IncidentChange::Merged { into: "I-2".into() });
    hub.step(20, "I-2", IncidentChange::Closed { from: Step::Verify, verdict: Verdict::True });
    let report = hub.told(3_600, 1, None);
    assert_eq!(kpi(&report, "false_alarms"), (Some(0.0), KpiVerdict::Good));
    assert_eq!(report.rules[0].judged.judged, 2);
}

#[test]
fn desks_are_apart_and_the_hub_has_them_all() {
    let mut hub = Hub::new();
    hub.raise(0, "fire/s1/1", DESK, Level::Red, false);
    hub.raise(1, "water/s2/1", "water-office", Level::Blue, false);
    hub.raise(2, "old/s3/1", "", Level::Blue, false);
    let alarms = |hub: &mut Hub, desk| hub.told(3_600, 1, desk).total.alarms;
    assert_eq!(
        (alarms(&mut hub, None), alarms(&mut hub, Some(DESK)), alarms(&mut hub, Some("water-office"))),
        (3, 1, 1)
    );
    let report = hub.told(3_600, 1, None);
    assert_eq!(report.desks, [DESK, "water-office"]);
    assert_eq!(kpi(&report, "priority_high"), (Some(1.0 / 3.0), KpiVerdict::Over));
    let query = Query { from: at(0), to: at(60), desk: Some("nobody".into()), by: By::Hour };
    assert_eq!(
        hub.kpis.report(&query, &Shifts::default(), &testing::Two).unwrap_err(),
        NoReport::NoSuchDesk("nobody".into())
    );
}

#[test]
fn owners_without_end_do_not_grow_the_figures() {
    let mut hub = Hub::new();
    for n in 0..100 {
        hub.raise(n * 120, &format!("r{n}/s/1"), &format!("desk-{n}"), Level::Blue, false);
    }
    let report = hub.told(14_400, 4, None);
    assert_eq!((report.desks.len(), report.total.alarms), (64, 100));
}

#[test]
fn what_cannot_be_told_is_refused() {
    let hub = Hub::new();
    let ask = |from: i64, to: i64| {
        let query = Query { from: at(from), to: at(to), desk: None, by: By::Day };
        hub.kpis.report(&query, &Shifts::default(), &testing::Two).map(drop)
    };
    assert_eq!(ask(100, 100), Err(NoReport::Empty));
    assert_eq!(ask(100, 50), Err(NoReport::Empty));
    assert_eq!(ask(0, 47 * 86_400), Err(NoReport::TooLong));
    assert_eq!(ask(0, 45 * 86_400), Ok(()));
}

#[test]
fn csv_has_a_line_for_each_period_and_as_many_columns_in_each() {
    let mut hub = Hub::new();
    hub.raise(0, "r/s/1", DESK, Level::Red, false);
    hub.raise(1, "r/t/1", DESK, Level::Red, true);
    let csv = hub.told(1_800, 2, None).csv();
    let lines: Vec<Vec<&str>> = csv.split_terminator("\r\n").map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{csv}");
    let cell = |name: &str| lines[1][lines[0].iter().position(|column| *column == name).unwrap()];
    let told = ["from", "covered_h", "alarms", "raised_red", "suppressed_shelved", "per_hour"].map(cell);
    assert_eq!(told, ["2026-11-23T00:00:00Z", "0.5", "1", "1", "1", "1"]);
}

#[test]
fn floods_of_a_log_without_rows_of_them_are_told_only_if_they_are_on() {
    let mut hub = Hub::new();
    for n in 0..11 {
        hub.raise(n, &format!("r/s{n}/1"), DESK, Level::Blue, false);
    }
    let mut later = hub.kpis.clone();
    later.tick(at(7_200));
    later.settle();
    assert_eq!(later.take_untold(), [], "long over, and never told");
    hub.kpis.settle();
    assert_eq!(hub.kpis.take_untold().len(), 2, "on now");
    // Told before a stop, over before the start: the end is told.
    let mut stopped = Hub::new();
    hub.log.iter().for_each(|(at, body)| stopped.kpis.take_body(body, *at));
    let began = stopped.kpis.take_untold();
    began.iter().for_each(|one| stopped.kpis.take_body(&LogBody::Flood(one.clone()), at(11)));
    stopped.kpis.tick(at(7_200));
    stopped.kpis.settle();
    let ends = stopped.kpis.take_untold();
    assert!(ends.len() == 2 && ends.iter().all(|one| matches!(one.change, FloodChange::Ended { .. })), "{ends:?}");
}

#[test]
fn words_are_no_part_of_figures() {
    let mut hub = Hub::new();
    hub.raise(0, "r/s/1", DESK, Level::Blue, false);
    hub.report(0, "I-1", "r/s/1", Level::Blue);
    hub.step(5, "I-1", IncidentChange::Noted { text: title().en });
    assert!(!format!("{:?}", hub.told(60, 1, None)).contains("water"));
}
