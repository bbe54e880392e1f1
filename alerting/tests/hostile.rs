//! Hostile rule files: each is refused within 100 ms and 64 MB. A binary of its own, so that its memory is its own.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

use std::time::Duration;

use alerting::RuleSet;

const MOST_TIME: Duration = Duration::from_millis(100);
const MOST_KIB: u64 = 64 * 1_024;
const MEGABYTE: usize = 1_024 * 1_024;

/// The most memory that the process has had since [`forget_peak`], in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How long this thread has been on a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Begins the peak anew at what is held now.
fn forget_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_kib()
}

fn rule(number: usize, raise: &str) -> String {
    format!(
        "- id: r{number}\n  title: {{zh: r, en: r}}\n  hazard: flood\n  about: {{owner: o, action: {{zh: a, en: a}}}}\n  \
         on: {{class: c, reading: v}}\n  level: blue\n  raise: '{raise}'\n"
    )
}

/// A file of a megabyte whose every rule has this condition.
fn full_of(raise: &str) -> String {
    let mut text = "version: 1\nrules:\n".to_owned();
    let mut number = 0;
    loop {
        let rule = rule(number, raise);
        if text.len() + rule.len() > MEGABYTE {
            return text;
        }
        text += &rule;
        number += 1;
    }
}

fn one(raise: &str) -> String {
    format!("version: 1\nrules:\n{}", rule(0, raise))
}

fn files() -> Vec<(&'static str, String)> {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n";
    let map = "[1,2,3].map(a, [1,2,3].map(b, [1,2,3].map(c, [1,2,3].map(d, a + b + c + d))))";
    let long = |text: &str| full_of(&text.chars().take(2_040).collect::<String>());
    vec![
        ("a megabyte of one word", "x".repeat(MEGABYTE)),
        ("over a megabyte", "#".repeat(2 * MEGABYTE)),
        ("a megabyte of list marks", "- ".repeat(MEGABYTE / 2)),
        ("a megabyte of open lists", "[".repeat(MEGABYTE)),
        ("a megabyte of open maps", "{a: ".repeat(MEGABYTE / 4)),
        ("a megabyte of keys", (0..80_000).map(|n| format!("key{n}: {n}\n")).collect()),
        ("a megabyte of empty rules", format!("version: 1\nrules:\n{}", "- {}\n".repeat(200_000))),
        ("an alias bomb", bomb.to_owned()),
        ("a thousand anchors", "a: &a [*a]\n".repeat(1_000)),
        ("brackets", one(&"(".repeat(2_000))),
        ("a megabyte of brackets", long(&"(".repeat(2_040))),
        ("a megabyte of sums", long(&format!("x > 1{}", "+1".repeat(1_010)))),
        ("a megabyte of question marks", long(&"x>1?".repeat(510))),
        ("a megabyte of notes", long(&"!".repeat(2_040))),
        ("a megabyte of fields", long(&format!("x{}", ".y".repeat(1_010)))),
        ("a megabyte of calls", long(&format!("x{}", ".contains(1)".repeat(170)))),
        ("nested loops", one(map)),
        ("a megabyte of loops", full_of(map)),
        ("a megabyte of lists", long(&format!("x in [{}", "1,".repeat(1_015)))),
        ("a megabyte of windows", long(&format!("x > 1{}", " + avg(x, 9x)".repeat(150)))),
        ("a megabyte of spans without end", long(&format!("x > 1{}", " && avg(x, 10m)".repeat(130)))),
        ("a megabyte of units", long(&format!("x > 1{}", " + 3 furlong".repeat(150)))),
        ("a megabyte of times", long(&"9999999999999999999999h ".repeat(80))),
        ("a megabyte of texts", long(&"\"\\".repeat(1_020))),
        ("a megabyte of marks", long(&"__q0 ".repeat(400))),
        ("numbers without end", one(&"9".repeat(2_000))),
    ]
}

#[test]
fn hostile_files_are_refused_within_a_tenth_of_a_second_and_64_megabytes() {
    for (name, text) in files() {
        let files = [("hostile.yaml".to_owned(), text)];
        // Time on the processor, and the quickest of some tries: the machine's other work is not the file's, but makes
        // caches cold and cores shared.
        let mut quickest = Duration::MAX;
        let mut most = 0;
        for _ in 0..20 {
            if quickest < MOST_TIME {
                break;
            }
            let held = forget_peak();
            let began = processor_time();
            let refused = RuleSet::load(&files);
            quickest = quickest.min(processor_time() - began);
            most = most.max(peak_kib().saturating_sub(held));
            assert!(refused.is_err_and(|problems| !problems.is_empty()), "{name} was taken");
        }
        println!("{name}: {} ms, {most} KiB", quickest.as_millis());
        assert!(quickest < MOST_TIME, "{name} took {quickest:?}");
        assert!(most < MOST_KIB, "{name} took {most} KiB");
    }
}
