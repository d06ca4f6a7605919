//! `engine backtest`: recorded data through strategies, risk and the simulated venue.

use engine::setup::Mode;
use model::symbol::Symbol;

use super::cli::{BacktestArgs, Cli};
use super::data::{DataArg, Request};
use super::exit::{Failure, Finding};
use super::latency::Wish;
use super::pace::Speed;
use super::plan::{Asked, Journaling, Market, MoneyWanted, Wanted, capital, placement};
use super::quote::quoted;
use super::run::Done;
use super::show;
use super::venue;

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the session cannot be built or run.
pub(super) fn run(cli: &Cli, args: &BacktestArgs) -> Result<Finding, Failure> {
    let symbols = args
        .symbol
        .iter()
        .map(|text| Symbol::parse(text).map_err(|error| Failure::Usage(error.into())))
        .collect::<Result<Vec<_>, _>>()?;
    let wanted = Wanted {
        asked: Asked::Options,
        heading: None,
        resume: None,
        mode: Mode::Backtest,
        seed: args.seed,
        market: Market::Recorded(request(args, &symbols)?),
        is_attended: false,
        speed: Speed::Max,
        rules: args.rules.clone(),
        reporting: args.reporting.clone(),
        kind: None,
        balances: vec![(args.reporting.clone(), capital(&args.capital)?)],
        money: MoneyWanted::plain(),
        symbols,
        paper: venue::constants(&args.run, args.seed)?,
        journal: Journaling::of(&args.run),
        placement: placement(args.run.topology, args.run.wait)?,
        measured: Wish::of(&args.run),
        config: None,
    };
    let done = Done::of(cli, &wanted)?;
    if !cli.json
        && let Some(spec) = &done.spec
    {
        let (program, dir) = (show::program(), quoted(spec.dir.as_os_str()));
        show::out(&format!("Try next: {program} replay {dir}"));
    }
    Ok(done.finding)
}

fn request(args: &BacktestArgs, symbols: &[Symbol]) -> Result<Request, Failure> {
    let mut settle = Vec::new();
    for text in &args.settle {
        let pair = text.split_once('=').filter(|(from, to)| !from.is_empty() && !to.is_empty());
        let (from, to) = pair.ok_or_else(|| {
            Failure::usage(format!("--settle {text}: write FROM=TO, e.g. USD=USDT"))
        })?;
        settle.push((from.to_owned(), to.to_owned()));
    }
    Ok(Request {
        data: args.data.iter().map(|text| DataArg::parse(text)).collect::<Result<_, _>>()?,
        instruments: args.instrument.clone(),
        facts: Vec::new(),
        instrument_file: args.instruments.clone(),
        settle,
        symbol: match symbols {
            [one] => Some(one.clone()),
            _ => None,
        },
    })
}
