//! One fixed workload, run once: what `callgrind.sh` counts the instructions of.
//!
//! Only what runs inside the functions named `counted_*` is counted, so that neither the loading of
//! rules nor the making of messages is in the totals. Each prints its result hash; the totals of
//! two builds compare only if these are the same.
#![expect(clippy::print_stdout, reason = "the result of this program is what it prints")]

use std::hint::black_box;

use anyhow::{Context, bail};

use bench::limits::{Limits, World};
use bench::parsing::Parsing;
use bench::session::Workload;
use bench::{appending, limits, parsing};
use engine::session::Summary;

/// Judgements of the limits.
const JUDGEMENTS: usize = 10_000;
/// Messages of the session.
const MESSAGES: usize = 20_000;
/// Events that are appended.
const APPENDED: usize = 10_000;

fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).context("usage: workload limits|session|parsing|append")?;
    match name.as_str() {
        "limits" => {
            let mut bound = Limits::bind()?;
            let hash = limits::check(&mut bound, 1_000)?;
            counted_limits(&mut bound, &limits::worlds());
            println!("limits: {JUDGEMENTS} judgements of {} steps, {hash}", bound.ops());
        }
        "session" => {
            let summary = counted_session(&Workload::new(MESSAGES)?)?;
            println!(
                "session: {MESSAGES} messages, {} events, {} decisions, {}",
                summary.events, summary.decisions, summary.decisions_hash
            );
        }
        "parsing" => {
            let mut parsing = parsing::workload(None, parsing::MESSAGES)?;
            let (payloads, hash) = parsing.check()?;
            counted_parsing(&mut parsing)?;
            println!("parsing: {} messages, {payloads} payloads, {hash}", parsing.messages());
        }
        "append" => {
            let dir = tempfile::tempdir()?;
            let hash = appending::check(dir.path(), 1_000)?;
            let (mut writer, _keeper) =
                appending::open(&dir.path().join("counted"), journal::SinkKind::Mmap)?;
            counted_append(&mut writer, &appending::events())?;
            println!("append: {APPENDED} events, {hash}");
        }
        other => bail!("no workload is named `{other}`"),
    }
    Ok(())
}

#[inline(never)]
fn counted_limits(bound: &mut Limits, worlds: &[World]) {
    limits::run(bound, worlds, JUDGEMENTS);
}

#[inline(never)]
fn counted_session(workload: &Workload) -> anyhow::Result<Summary> {
    black_box(workload).run()
}

#[inline(never)]
fn counted_parsing(parsing: &mut Parsing) -> anyhow::Result<()> {
    let mut stream = parsing.stream()?;
    black_box(parsing.read(&mut stream, |body| {
        black_box(body);
    }));
    Ok(())
}

#[inline(never)]
fn counted_append(writer: &mut journal::Writer, events: &[[u8; 64]]) -> anyhow::Result<()> {
    appending::append(writer, black_box(events), APPENDED)
}
