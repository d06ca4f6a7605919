//! `engine demo`: a paper session on the built-in market; what runs without arguments.

use engine::setup::Mode;

use super::cli::{Cli, DemoArgs};
use super::data::Request;
use super::exit::{Failure, Finding};
use super::latency::Wish;
use super::pace::Speed;
use super::plan::{Asked, Journaling, Market, MoneyWanted, Wanted, placement};
use super::quote::quoted;
use super::run::Done;
use super::venue;
use super::{show, tour};

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the session cannot be built or run.
pub(super) fn run(cli: &Cli, args: &DemoArgs) -> Result<Finding, Failure> {
    if !cli.json && args.is_tour() {
        return tour::run(cli, args);
    }
    let wanted = Wanted {
        asked: Asked::Options,
        heading: Some("Paper money on a generated market: no network, nothing at risk."),
        resume: args.resume.clone(),
        mode: Mode::Demo,
        seed: args.seed,
        market: Market::Generated(args.seconds, Request::default()),
        is_attended: true,
        speed: args.speed.unwrap_or(Speed::Max),
        rules: args.rules.clone(),
        reporting: "USDT".to_owned(),
        kind: None,
        balances: Vec::new(),
        money: MoneyWanted::plain(),
        symbols: Vec::new(),
        paper: venue::constants(&args.run, args.seed)?,
        journal: Journaling::of(&args.run),
        placement: placement(args.run.topology, args.run.wait)?,
        measured: Wish::of(&args.run),
        config: None,
    };
    let done = Done::of(cli, &wanted)?;
    if cli.json {
        return Ok(done.finding);
    }
    show::out("\nTry next:");
    let program = show::program();
    let hint = |what: &str, why: &str| show::out(&format!("  # {why}\n  {program} {what}"));
    if let Some(spec) = &done.spec {
        let dir = quoted(spec.dir.as_os_str());
        hint(&format!("replay {dir}"), "compute every decision again and compare");
        hint(&format!("journal dump {dir} --explain --limit 5"), "why orders were refused");
    }
    hint("demo --seed 2 --seconds 3600", "another market, a longer session");
    hint("backtest --help", "your own data");
    Ok(done.finding)
}
