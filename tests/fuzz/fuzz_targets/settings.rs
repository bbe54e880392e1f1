//! Settings files, with the environment's overrides after a line of `---`.
#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;

#[derive(serde::Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    http: Http,
    brokers: Vec<Broker>,
    tags: BTreeMap<String, String>,
}

#[derive(serde::Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Http {
    bind: Option<SocketAddr>,
    hours: u32,
    secure: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape matters")]
struct Broker {
    name: String,
    limit: f64,
}

fuzz_target!(|text: &str| {
    let (file, env) = text.split_once("\n---\n").unwrap_or((text, ""));
    let env = env.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned()));
    let lines = file.bytes().filter(|byte| *byte == b'\n').count() + 1;
    if let Err(problems) = config::read::<Settings>("hub.toml", file, env) {
        assert!(!problems.is_empty(), "refused without a word");
        for problem in problems {
            assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
        }
    }
});
