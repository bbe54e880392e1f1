use super::*;

const RULES: &str = "version: 1
rules:
- id: river-level
  title: {zh: r, en: r}
  hazard: flood
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: river_gauge, reading: level}
  for: 20s
  levels:
    blue: {raise: x >= device.limits.blue, clear: x < device.limits.blue - 0.1}
    red: {raise: x >= device.limits.red, clear: x < device.limits.red - 0.1}
- id: gauge-silent
  title: {zh: r, en: r}
  hazard: equipment
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: river_gauge, state: [silent, offline]}
  for: 10s
  level: yellow
";

fn read(text: &str) -> Result<TestFile, Vec<Problem>> {
    let mut open = |path: &str| match path {
        "river.yaml" => Ok(("rules/river.yaml".to_owned(), RULES.to_owned())),
        "broken.yaml" => Ok(("rules/broken.yaml".to_owned(), "version: 2\nrules: []\n".to_owned())),
        _ => Err("there is none".to_owned()),
    };
    TestFile::read("river_test.yaml", text, &mut open)
}

/// A test of the river, with what stands in `body` beside its devices.
fn outcome(body: &str) -> Outcome {
    let text = format!(
        "rules: [river.yaml]\ntests:\n- name: t\n  every: 10s\n  devices:\n    \
         g: {{class: river_gauge, interval: 10s, limits: {{blue: 3, red: 4}}}}\n{body}"
    );
    let file = read(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let first = file.run();
    assert_eq!(first, file.run(), "a file run twice says the same");
    first.into_iter().next().unwrap()
}

#[test]
fn a_test_passes_when_all_is_as_expected() {
    let told = outcome(
        "  readings:\n    g: {level: 2.9x2 3.1x6 4.2x4 _x6 2.0x2}
  people:
  - {at: 1m, device: g, do: acknowledge}
  - {at: 70s, device: g, do: shelve, for: 30s}
  restart_at: [15s, 45s, 75s, 2m]
  expect:
  - {at: 29s, alarms: [], raised: 0}
  - {at: 50s, alarms: [{device: g, rule: river-level, level: blue, state: active}], raised: 1}
  - {at: 65s, alarms: [{device: g, level: blue, state: acknowledged}]}
  - {at: 75s, alarms: [{device: g, state: shelved}]}
  - {at: 130s, alarms: [{device: g, level: red, state: acknowledged}]}
  - {at: 170s, alarms: [{device: g, level: red, state: stale}]}
  - {at: 5m, alarms: [], raised: 1}
",
    );
    assert!(told.passed(), "{told}");
}

#[test]
fn what_differs_is_told_with_the_rules_own_trace() {
    let told =
        outcome("  readings:\n    g: {level: 3.2x9}\n  expect:\n  - {at: 80s, alarms: [{device: g, level: red}]}\n");
    let text = told.to_string();
    assert!(!told.passed());
    assert!(text.starts_with("river_test.yaml:3: t: FAILED\n  river_test.yaml:10: at 1m20s"), "{text}");
    assert!(text.contains("expected: g red\n    got:      g river-level blue active"), "{text}");
    assert!(text.contains("why, river-level at g:") && text.contains("a blue alarm stands since"), "{text}");
    let unexpected = outcome("  readings:\n    g: {level: 3.2x9}\n  expect:\n  - {at: 80s, alarms: []}\n").to_string();
    assert!(unexpected.contains("expected: no alarm") && unexpected.contains("it is not over"), "{unexpected}");
    let none =
        outcome("  readings:\n    g: {level: 2x9}\n  expect:\n  - {at: 80s, alarms: [{device: g}], raised: 1}\n");
    let none = none.to_string();
    assert!(none.contains("got:      no alarm") && none.contains("blue is not reached: "), "{none}");
    assert!(none.contains("expected: 1 raised so far\n    got:      0"), "{none}");
}

#[test]
fn states_of_links_are_played_and_one_rule_can_be_looked_at_alone() {
    let body =
        "  rule: gauge-silent\n  readings:\n    g: {level: 3.5x3}\n  states:\n  - {at: 0s, device: g, state: live}
  - {at: 1m, device: g, state: silent}\n  - {at: 2m, device: g, state: live}\n  restart_at: [65s]\n  expect:
  - {at: 69s, alarms: []}\n  - {at: 75s, alarms: [{device: g, level: yellow}]}\n  - {at: 2m, alarms: []}\n";
    let told = outcome(body);
    assert!(told.passed(), "{told}");
    let both = outcome(&body.replace("  rule: gauge-silent\n", ""));
    assert!(both.to_string().contains("got:      g gauge-silent yellow active; g river-level blue"), "{both}");
}

#[test]
fn a_person_who_cannot_do_it_fails_the_test() {
    let told = outcome(
        "  readings:\n    g: {level: 2x9}\n  people:\n  - {at: 1m, device: g, do: shelve}\n  expect:\n  - {at: 80s, alarms: []}\n",
    );
    assert!(told.to_string().contains("river_test.yaml:10: at 1m: no alarm stands at g"), "{told}");
}

#[test]
fn late_bad_and_retained_readings_can_be_told() {
    let values = "[{value: 3.5, late: 20m}, {value: 3.5, quality: bad}, {value: 3.5, retained: true}, _, 2.5]";
    let told = outcome(&format!(
        "  readings:\n    g: {{level: {values}}}\n  expect:\n  - {{at: 40s, alarms: [], raised: 0}}\n"
    ));
    assert!(told.passed(), "{told}");
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_place() {
    let problems = read(
        "rules: [river.yaml, none.yaml]
tests:
- name: t
  rule: nobody
  start: soon
  devices:
    g: {class: river_gauge, limits: {blue: high}, colour: red}
  readings:
    h: {level: 1}
    g: {level: 1..2}
  states:
  - {at: 5, device: g, state: asleep}
  expect:
  - {at: 1m}
  - {at: 1m, alarms: [{device: g, level: purple}]}
- devices: {}
",
    )
    .unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let all = told.join("\n");
    for wanted in [
        "river_test.yaml:1:21: found `none.yaml`, expected a rule file (there is none)",
        "river_test.yaml:4:9: found `nobody`, expected a rule of the files",
        "river_test.yaml:5:10: found `soon`",
        ":7:44: found `high`, expected a number",
        "the unknown key `colour`",
        ":9:5: found `h`, expected a device of the test",
        ":10:16: found `1..2`",
        ":12:10: found `5`, expected a time",
        "found `asleep`, expected one of unknown",
        ":14:5: found neither `alarms` nor `raised`",
        "found `purple`, expected one of blue",
        ":16:3: found no `name`",
        ":16:3: found no `expect`",
    ] {
        assert!(all.contains(wanted), "{wanted}\n in\n{all}");
    }
    let broken = read("rules: [broken.yaml]\ntests: []\n").unwrap_err();
    assert!(broken[0].to_string().starts_with("rules/broken.yaml:1:10: found `2`"), "{broken:?}");
    assert!(read("").unwrap_err()[0].to_string().contains("found nothing"));
    assert!(read(&"x".repeat(5 * 1024 * 1024)).unwrap_err()[0].to_string().contains("at most"));
}

#[test]
fn the_ready_rules_tests_pass() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/rules/tests");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut open = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
            Ok((name.to_owned(), text))
        };
        let file = TestFile::read(&path.display().to_string(), &text, &mut open)
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        for outcome in file.run() {
            assert!(outcome.passed(), "{outcome}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count}");
}
