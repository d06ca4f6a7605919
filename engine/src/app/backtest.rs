//! `engine backtest`: recorded data through strategies, risk and the simulated venue.

use engine::session::Session;
use engine::session::journaled::run as run_session;
use engine::setup::Mode;
use model::symbol::Symbol;

use super::cli::{BacktestArgs, Cli};
use super::clock::Clock;
use super::data::{DataArg, Request, open};
use super::exit::{Failure, Finding};
use super::plan::{Plan, journal_spec, placement};
use super::report::Report;
use super::watch::Watch;
use super::{rules, show};

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the session cannot be built or run.
pub(super) fn run(cli: &Cli, args: &BacktestArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let checked = rules::load(rules::sources(&args.rules)?)?;
    let symbols = args
        .symbol
        .iter()
        .map(|text| Symbol::parse(text).map_err(|error| Failure::Usage(error.into())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut opened = open(&request(args, &symbols)?)?;
    let placement = placement(args.run.topology, args.run.wait)?;
    let setup = Plan {
        mode: Mode::Backtest,
        seed: args.seed,
        reporting: &args.reporting,
        capital: &args.capital,
        symbols: &symbols,
        instruments: &opened.instruments,
        sources: std::mem::take(&mut opened.sources),
        checked: &checked,
        run: &args.run,
    }
    .setup()?;
    let spec = journal_spec(&args.run, &setup, &cli.data_dir)?;
    let session = Session::build(setup, &checked)?;
    for line in opened.notes.iter().chain(&session.bound.notes) {
        show::note(line);
    }
    show::diagnostics(&checked.sources, &checked.warnings);
    let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
    let ran = run_session(&session, opened.source.as_mut(), spec.as_ref(), &placement, &mut watch);
    watch.done();
    let ran = ran?;
    let report = Report {
        session: &session,
        ran: &ran,
        journal: spec.as_ref().map(|spec| spec.dir.as_path()),
        placement: &placement,
        took: clock.elapsed(),
    };
    if cli.json {
        show::out(&report.json().to_string());
    } else {
        report.print();
        if let Some(spec) = &spec {
            let (program, dir) = (show::program(), spec.dir.display());
            show::out(&format!("Try next: {program} replay {dir}"));
        }
    }
    if ran.summary.progress.failed {
        show::note(
            "error: the data ends early: what was readable is in the result, and each fault in the \
             journal; fetch the file again",
        );
        return Ok(Finding::Damage);
    }
    let unequal = ran.summary.book_checks.1 > 0;
    Ok(if unequal { Finding::Something } else { Finding::Nothing })
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
        instrument_file: args.instruments.clone(),
        settle,
        symbol: match symbols {
            [one] => Some(one.clone()),
            _ => None,
        },
    })
}
