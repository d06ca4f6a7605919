//! `engine demo`: a paper session on the built-in market; what runs without arguments.

use engine::generate::Generated;
use engine::session::Session;
use engine::session::journaled::run as run_session;
use engine::setup::Mode;

use super::cli::{Cli, DemoArgs};
use super::clock::Clock;
use super::exit::{Failure, Finding};
use super::latency::Measuring;
use super::plan::{Plan, journal_spec, placement};
use super::quote::quoted;
use super::report::Report;
use super::watch::Watch;
use super::{rules, show};

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the session cannot be built or run.
pub(super) fn run(cli: &Cli, args: &DemoArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let checked = rules::load(rules::sources(&args.rules)?)?;
    let mut market = Generated::new(args.seed, args.seconds);
    let instruments = market.instruments();
    let placement = placement(args.run.topology, args.run.wait)?;
    let setup = Plan {
        mode: Mode::Demo,
        seed: args.seed,
        reporting: "USDT",
        capital: "10000",
        symbols: &[],
        instruments: &instruments,
        sources: vec![market.describe()],
        checked: &checked,
        run: &args.run,
    }
    .setup()?;
    let spec = journal_spec(&args.run, &setup, &cli.data_dir)?;
    let mut session = Session::build(setup, &checked)?;
    for line in &session.bound.notes {
        show::note(line);
    }
    let measuring = Measuring::start(&args.run, spec.as_ref(), &mut session)?;
    let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
    let ran = run_session(&session, &mut market, spec.as_ref(), &placement, &mut watch);
    watch.done();
    let mut ran = ran?;
    let latency = measuring.map(|measuring| measuring.finish(&mut ran)).transpose()?;
    let report = Report {
        session: &session,
        ran: &ran,
        journal: spec.as_ref().map(|spec| spec.dir.as_path()),
        placement: &placement,
        latency: latency.as_ref(),
        took: clock.elapsed(),
    };
    if cli.json {
        show::out(&report.json().to_string());
        return Ok(Finding::Nothing);
    }
    show::out("Paper money on a generated market: no network, nothing at risk.");
    report.print();
    show::out("\nTry next:");
    let program = show::program();
    let hint = |what: &str, why: &str| show::out(&format!("  # {why}\n  {program} {what}"));
    if let Some(spec) = &spec {
        let dir = quoted(spec.dir.as_os_str());
        hint(&format!("replay {dir}"), "compute every decision again and compare");
        hint(&format!("journal dump {dir} --kind Decision --limit 20"), "look at verdicts");
    }
    hint("demo --seed 2 --seconds 3600", "another market, a longer session");
    hint("backtest --help", "your own data");
    Ok(Finding::Nothing)
}
