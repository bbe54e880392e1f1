//! What conditions say, what they refuse, and that they agree with the language's own interpreter.

use std::cell::Cell;

use cel::{Context, Program};
use model::{Kind, Owner};
use proptest::prelude::*;

use super::*;

fn source() -> Source {
    Source {
        class: "river_gauge".into(),
        name: "水位".into(),
        topic: "t".into(),
        format: "raw".into(),
        unit: "m".into(),
        tags: BTreeMap::from([("site".into(), "bridge".into())]),
        ..Source::new("gauge-1", Kind::Sensor, Owner::Governance, "g1")
    }
}

struct Battery(Value);

impl Readings for Battery {
    fn reading(&self, name: &str) -> Option<&Value> {
        (name == "battery").then_some(&self.0)
    }
}

fn ask(text: &str, x: Option<Value>) -> (Tri, Option<TypeClash>) {
    let condition = Condition::compile(text, Names::All).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let source = source();
    let battery = Battery(Value::Number(80.0));
    let limits = [("blue".into(), 3.0), ("red".into(), 4.5)];
    let env = Env {
        source: &source,
        x: x.as_ref(),
        readings: &battery,
        limits: &limits,
        time: InTime::NONE,
        clash: Cell::new(None),
    };
    (condition.eval(&env), env.clash.take())
}

fn faults(text: &str) -> String {
    let faults = Condition::compile(text, Names::All).expect_err(text);
    faults.iter().map(|f| format!("found {}, expected {}", f.found, f.expected)).collect::<Vec<_>>().join("; ")
}

#[test]
fn conditions_over_readings_limits_tags_and_fields() {
    let x = || Some(Value::Number(3.2));
    for (text, expected) in [
        ("x >= device.limits.blue", Tri::True),
        ("x >= device.limits.red - 0.5", Tri::False),
        ("x > 3 && r.battery < 90", Tri::True),
        ("source.tags.site == 'bridge' && source.class in ['rain', 'river_gauge']", Tri::True),
        ("source.id.startsWith('gauge') ? x > 10 : true", Tri::False),
        ("abs(x - 4) < 1 && max(x, 1, 2) == x && min(x, 1) == 1", Tri::True),
        ("has(device.limits.orange) || has(r.battery)", Tri::True),
        ("-x < 0 && !(x % 2 == 0)", Tri::True),
    ] {
        assert_eq!(ask(text, x()).0, expected, "{text}");
    }
}

#[test]
fn what_is_missing_is_unknown_and_decides_nothing_it_need_not() {
    assert_eq!(ask("x > 3", None), (Tri::Unknown, None));
    assert_eq!(ask("x > device.limits.orange", Some(Value::Number(9.0))).0, Tri::Unknown);
    assert_eq!(ask("x > device.limits.orange || x > 3", Some(Value::Number(9.0))).0, Tri::True);
    assert_eq!(ask("r.nothing > 1 && false", Some(Value::Number(9.0))).0, Tri::False);
    assert_eq!(ask("1 / 0 > 1", None).0, Tri::Unknown);
}

#[test]
fn a_value_of_the_wrong_kind_is_unknown_and_named() {
    let (tri, clash) = ask("x >= 3", Some(Value::Text("covered".into())));
    assert_eq!(tri, Tri::Unknown);
    assert_eq!(clash.unwrap().operator, ">=");
}

#[test]
fn mistakes_are_named() {
    assert!(faults("level > 3").contains("the name `level`"));
    assert!(faults("source.colour == 'red'").contains("`source.colour`"));
    assert!(faults("x > 'high' + 1").contains("a text beside `+`"));
    assert!(faults("x + 1").contains("an expression that gives a number"));
    assert!(faults("rate(x) > 1").contains("`rate` without a time"));
    assert!(faults("[1, 2].exists(n, n > x)").contains("a loop"));
    assert!(faults("x >").contains("expected a condition"));
    assert!(faults("").contains("nothing"));
    assert!(Condition::compile("x > 3", Names::SourceOnly).is_err(), "a selection knows no reading");
}

#[test]
fn hostile_texts_are_refused_before_they_are_parsed() {
    let began = std::time::Instant::now();
    let brackets = ["(".repeat(2_000), "!".repeat(2_000), "[".repeat(500), "a?".repeat(900), "x".repeat(3_000)];
    // These nest without a bracket.
    let chains = [
        format!("1{} > x", "+1".repeat(900)),
        format!("x{}", "==x".repeat(600)),
        format!("x{}", ".y".repeat(900)),
        format!("x{}", ".contains('a')".repeat(130)),
    ];
    for text in brackets.into_iter().chain(chains) {
        assert!(Condition::compile(&text, Names::All).is_err(), "{text:.40}");
    }
    assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
}

#[test]
fn the_meaning_forgets_blanks_and_brackets_only() {
    let meaning = |text| Condition::compile(text, Names::All).unwrap().meaning();
    assert_eq!(meaning("x>=3.0"), meaning("( x  >= 3 )"));
    assert_ne!(meaning("x >= 3"), meaning("x > 3"));
}

#[test]
fn thresholds_are_seen_through_either_side() {
    let condition = Condition::compile("device.limits.red - 0.1 > x", Names::All).unwrap();
    let threshold = condition.threshold().unwrap();
    assert_eq!((threshold.direction, threshold.limit, threshold.offset), (Direction::Below, Some("red"), -0.1));
}

#[test]
fn evidence_names_every_value_that_was_used() {
    let condition = Condition::compile("x >= device.limits.blue && r.battery > 1", Names::All).unwrap();
    let source = source();
    let (x, battery) = (Value::Number(3.2), Battery(Value::Number(80.0)));
    let limits = [("blue".into(), 3.0)];
    let env = Env {
        source: &source,
        x: Some(&x),
        readings: &battery,
        limits: &limits,
        time: InTime::NONE,
        clash: Cell::new(None),
    };
    let values = condition.values(&env);
    let names: Vec<&str> = values.keys().map(String::as_str).collect();
    assert_eq!(names, ["device.limits.blue", "r.battery", "x"]);
}

fn comparisons() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just("x".to_owned()), (-20i32..20).prop_map(|n| format!("({n}.0)"))];
    let sum = (number.clone(), prop_oneof![Just("+"), Just("-"), Just("*")], number)
        .prop_map(|(a, o, b)| format!("({a} {o} {b})"));
    let leaf = (sum.clone(), prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")], sum)
        .prop_map(|(a, o, b)| format!("{a} {o} {b}"));
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

proptest! {
    /// Where both have an answer, ours is the language's.
    #[test]
    fn agrees_with_the_interpreter(text in comparisons(), x in -20i32..20) {
        let program = Program::compile(&text).unwrap();
        let mut context = Context::default();
        context.add_variable_from_value("x", f64::from(x));
        let theirs = program.execute(&context).unwrap();
        let ours = ask(&text, Some(Value::Number(f64::from(x)))).0;
        prop_assert_eq!(cel::Value::Bool(ours == Tri::True), theirs, "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", code in "[x.r()<>=!&|?:+*/a-c0-9'\" \\[\\]-]{0,120}") {
        let _ = Condition::compile(&text, Names::All);
        let _ = Condition::compile(&code, Names::All);
    }
}
