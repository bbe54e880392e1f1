use model::{Kind, Owner};

use super::*;

const TODAY: Date = jiff::civil::date(2026, 11, 24);

fn rules(body: &str) -> RuleSet {
    let files = [("r.yaml".to_owned(), format!("version: 1\nrules:\n{body}"))];
    RuleSet::load(&files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A rule over a river gauge that nothing is wrong with but what stands in `body`; it begins in line 3.
fn rule(id: &str, on: &str, body: &str) -> String {
    format!(
        "- id: {id}\n  title: {{zh: r, en: r}}\n  hazard: flood\n  about:\n    owner: o\n    action: {{zh: a, en: a}}\n    \
         rationale: measured\n  on: {on}\n{body}"
    )
}

const GAUGE: &str = "{class: river_gauge, reading: level}";

fn gauge(id: &str, limits: &[(&str, f64)]) -> Arc<Source> {
    Arc::new(Source {
        class: "river_gauge".into(),
        tags: limits.iter().map(|(name, value)| (format!("limits.{name}"), value.to_string())).collect(),
        ..Source::new(id, Kind::Sensor, Owner::Governance, "g1")
    })
}

fn found(body: &str, sources: Option<&[Arc<Source>]>) -> Vec<String> {
    lint(&rules(body), sources, TODAY).iter().map(ToString::to_string).collect()
}

/// The codes of what is found, without a registry.
fn codes(on: &str, body: &str) -> Vec<String> {
    lint(&rules(&rule("a", on, body)), None, TODAY).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_good_rule_gives_no_word() {
    assert_eq!(codes(GAUGE, "  levels:\n    blue: {raise: x >= 3, clear: x < 2.9}\n"), [""; 0]);
}

#[test]
fn a_finding_names_its_place_and_its_code() {
    let body = rule("a", GAUGE, "  levels:\n    blue: {raise: x >= 3}\n");
    let told = found(&body, None);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("r.yaml:12:11: warning[no-clear]: a: blue has no `clear`"), "{told:?}");
}

#[test]
fn what_nobody_explained_or_looked_at_again_is_told() {
    let with = |about: &str| {
        let text = rule("a", GAUGE, "  levels:\n    blue: {raise: x == true}\n").replace("rationale: measured", about);
        lint(&rules(&text), None, TODAY).into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(with("rationale: why"), [""; 0]);
    assert_eq!(with("author: li"), ["no-rationale"]);
    assert_eq!(with("rationale: why\n    review: 2026-11-23"), ["review-passed"]);
    assert_eq!(with("rationale: why\n    review: 2026-11-24"), [""; 0]);
}

#[test]
fn a_wait_is_wanted_where_a_moment_would_raise() {
    assert_eq!(codes("{class: smoke, state: [offline]}", "  level: blue\n"), ["no-wait"]);
    assert_eq!(codes("{class: smoke, state: [offline]}", "  level: blue\n  for: 10s\n"), [""; 0]);
    assert_eq!(codes(GAUGE, "  level: blue\n  absent: 15m\n"), ["no-wait"]);
    assert_eq!(codes(GAUGE, "  level: blue\n  absent: 15m\n  for: 1m\n"), [""; 0]);
}

#[test]
fn a_condition_that_contradicts_itself_is_an_error() {
    for never in [
        "x > 5 && x < 3",
        "x == 'covered' && x == 'black'",
        "x > device.limits.blue && x <= device.limits.blue - 1",
        "x == 1 && x in [2, 3]",
        "r.smoke == true && r.smoke == false",
        "false",
        "!(x > 3 || x <= 3)",
    ] {
        let body = rule("a", GAUGE, &format!("  level: blue\n  raise: \"{never}\"\n  clear: x < 1\n"));
        let told = lint(&rules(&body), None, TODAY);
        assert!(told.iter().any(|f| f.code == "unreachable" && f.severity == Severity::Error), "{never}: {told:?}");
    }
    for always in ["x > 3 || x <= 3", "true", "x != 'a' || x != 'b'"] {
        assert_eq!(codes(GAUGE, &format!("  level: blue\n  raise: \"{always}\"\n")), ["always-true"], "{always}");
    }
}

#[test]
fn a_condition_that_some_value_fulfils_is_let_pass() {
    for good in [
        "x > 3 && x < 5",
        "x >= device.limits.blue && x < 5",
        "x >= 3 && r.rain > 2",
        "x * 2 > 5 && x < 1",
        "x == 'a' || x == 'b'",
        "x > device.limits.a && x < device.limits.b",
        "x >= 3 && x <= 3",
        "has(r.rain) && x > 3",
    ] {
        assert_eq!(codes(GAUGE, &format!("  level: blue\n  raise: \"{good}\"\n  clear: x < 1\n")), [""; 0], "{good}");
    }
}

#[test]
fn two_rules_of_one_meaning_are_told_once() {
    let levels = "  levels:\n    blue: {raise: x >= 3, clear: x < 2.9}\n";
    let other = "  levels:\n    blue: {raise: x >= 4, clear: x < 2.9}\n";
    let body = rule("a", GAUGE, levels) + &rule("b", GAUGE, levels) + &rule("c", GAUGE, other);
    let told = found(&body, None);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("warning[alike]: b: means the same as a (r.yaml:3)"), "{told:?}");
    // One on trial beside one in force is how a rule is tried.
    let shadow = rule("b", GAUGE, levels).replace("- id: b", "- id: b\n  status: shadow");
    assert_eq!(found(&(rule("a", GAUGE, levels) + &shadow), None), [""; 0]);
}

#[test]
fn what_is_about_everything_or_nothing_is_told() {
    assert_eq!(codes("{reading: level}", "  level: blue\n  raise: x == true\n"), ["selects-everything"]);
    assert_eq!(codes("{class: \"*\", reading: level}", "  level: blue\n  raise: x == true\n"), ["selects-everything"]);
    let body = rule("a", "{class: no_such, reading: level}", "  level: blue\n  raise: x == true\n");
    let told = found(&body, Some(&[gauge("g", &[])]));
    assert!(told.len() == 1 && told[0].contains("[selects-nothing]"), "{told:?}");
    assert_eq!(found(&body, None), [""; 0], "without a registry nobody can say");
    let draft = body.replace("- id: a", "- id: a\n  status: draft");
    assert_eq!(found(&draft, Some(&[gauge("g", &[])])), [""; 0], "a draft watches nobody anyway");
}

const FOUR: &str = "  levels:\n    blue: {raise: x >= device.limits.blue, clear: x < device.limits.blue - 0.1}\n    \
                    yellow: {raise: x >= device.limits.yellow, clear: x < device.limits.yellow - 0.1}\n";

#[test]
fn a_limit_that_no_source_has_is_told() {
    let body = rule("a", GAUGE, FOUR);
    let some = [gauge("g1", &[("blue", 3.0)]), gauge("g2", &[("blue", 3.0)])];
    let told = found(&body, Some(&some));
    assert!(told.len() == 1 && told[0].contains("[no-limit]: a: no selected source has the limit yellow"), "{told:?}");
    let one = [gauge("g1", &[("blue", 3.0)]), gauge("g2", &[("blue", 3.0), ("yellow", 4.0)])];
    assert_eq!(found(&body, Some(&one)), [""; 0]);
}

#[test]
fn limits_of_the_registry_that_fall_are_told_with_their_sources() {
    let body = rule("a", GAUGE, FOUR);
    let mut town = vec![gauge("good", &[("blue", 3.0), ("yellow", 3.5)])];
    assert_eq!(found(&body, Some(&town)), [""; 0]);
    town.extend((1..=4).map(|n| gauge(&format!("bad-{n}"), &[("blue", 3.0), ("yellow", 2.5)])));
    let told = found(&body, Some(&town));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("[limits-fall]: a: blue is never seen"), "{told:?}");
    assert!(told[0].ends_with("bad-1, bad-2, bad-3 and 1 more"), "{told:?}");
    // One that waits longer is seen before the other comes.
    let waits = body.replace("yellow: {", "yellow: {for: 1m, ");
    assert_eq!(found(&waits, Some(&town)), [""; 0]);
}

#[test]
fn a_condition_that_the_limits_of_a_source_contradict_is_told() {
    let body = rule("a", GAUGE, "  level: blue\n  raise: x >= device.limits.blue && x < 5\n  clear: x < 1\n");
    let told = found(&body, Some(&[gauge("g1", &[("blue", 3.0)]), gauge("g2", &[("blue", 6.0)])]));
    assert!(told.len() == 1 && told[0].contains("warning[unreachable]") && told[0].ends_with("of g2"), "{told:?}");
}

#[test]
fn what_a_loader_refuses_has_a_code_too() {
    let code = |text: &str| {
        let problems = RuleSet::load(&[("r.yaml".to_owned(), format!("version: 1\nrules:\n{text}"))]).unwrap_err();
        problems.into_iter().map(|problem| Finding::from(problem).code).collect::<Vec<_>>()
    };
    let good = rule("a", GAUGE, "  levels:\n    blue: {raise: x >= 3, clear: x < 2.9}\n");
    assert_eq!(code(&good.replace("    owner: o\n", "")), ["no-owner"]);
    assert_eq!(code(&good.replace("    action: {zh: a, en: a}\n", "")), ["no-action"]);
    assert_eq!(code(&good.replace("x < 2.9", "x < 3.1")), ["levels-overlap"]);
    assert_eq!(code(&(good.clone() + "    yellow: {raise: x >= 2, clear: x < 1}\n")), ["levels-fall"]);
    assert_eq!(code(&(good.clone() + &good)), ["same-id"]);
    assert_eq!(code(&good.replace("flood", "plague")), ["file"]);
}
