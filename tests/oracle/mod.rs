//! An oracle outside the hub: it knows every numbered reading that was sent and which of them were acknowledged, and
//! reads the hub's books (history, event log, dead letters, counters) with a program of somebody else's.
//!
//! Judged after every disaster: what is acknowledged is in the history once or more, in the order of each device, and
//! was looked at by the rules; nothing is there that was not sent; what is not there is counted.
//!
//! `make test` runs a few rounds of each. The whole of it, as in docs/durability.md, is
//!
//! ```text
//! GRIDWARD_ORACLE_ROUNDS=100 cargo test -p gridward --test integration oracle -- --nocapture --test-threads=1
//! ```
//!
//! and `GRIDWARD_SEED=...` repeats a run's dice. Belongs here: disasters and their judgement. Does not belong here:
//! what the hub says of a disaster on its screens (`durability.rs`).

mod books;
mod broker_killed;
mod garbage;
mod hub_killed;
mod lanes;
mod network_cut;
mod numbered;
mod stalled_store;
mod witness;

/// How often disaster strikes.
fn rounds(few: usize) -> usize {
    match std::env::var("GRIDWARD_ORACLE_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("GRIDWARD_ORACLE_ROUNDS is a number"),
        Err(_) => few,
    }
}

/// Whether this is the long version.
fn is_long() -> bool {
    std::env::var_os("GRIDWARD_ORACLE_ROUNDS").is_some()
}
