//! `engine demo`: a paper session on the built-in market; what runs without arguments.

use std::path::Path;

use engine::generate::Generated;
use engine::session::Session;
use engine::session::journaled::run as run_session;
use engine::session::resume::{Rest, Resumed, resume};
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
    let placement = placement(args.run.topology, args.run.wait)?;
    let (mut session, mut market) = match &args.resume {
        Some(dir) => go_on(dir, args)?,
        None => begin(args)?,
    };
    let spec = journal_spec(&args.run, &session.setup, &cli.data_dir)?;
    for line in &session.bound.notes {
        show::note(line);
    }
    let measuring = Measuring::start(&args.run, spec.as_ref(), &mut session)?;
    let taken = session.snapshot().map_or(0, |snapshot| snapshot.messages);
    let mut market = Rest::of(&mut market, taken);
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

/// Makes a session of the market from its beginning.
fn begin(args: &DemoArgs) -> Result<(Session, Generated), Failure> {
    let checked = rules::load(rules::sources(&args.rules)?)?;
    let market = Generated::new(args.seed, args.seconds);
    let setup = Plan {
        mode: Mode::Demo,
        seed: args.seed,
        reporting: "USDT",
        capital: "10000",
        symbols: &[],
        instruments: &market.instruments(),
        sources: vec![market.describe()],
        checked: &checked,
        run: &args.run,
    }
    .setup()?;
    Ok((Session::build(setup, &checked)?, market))
}

/// Brings a killed session back, and its market from the beginning.
fn go_on(dir: &Path, args: &DemoArgs) -> Result<(Session, Generated), Failure> {
    let Resumed { session, compared, repaired } = resume(dir)?;
    let market = Generated::new(session.setup.seed, args.seconds);
    let (own, described) = (market.describe(), session.setup.sources.first());
    if described != Some(&own) {
        let described = described.map_or("nothing", |source| source.name.as_str());
        return Err(Failure::usage(format!(
            "--resume {}: the session's market was `{described}`, and not `{}`; give --seconds as \
             it was, and the journal of a demo",
            dir.display(),
            own.name
        )));
    }
    let seq = session.snapshot().map_or(0, |snapshot| snapshot.seq.0);
    let torn = if repaired { "; its torn tail was cut" } else { "" };
    show::note(&format!(
        "note: {}: {compared} records computed again, all the same; going on from seq {seq}{torn}",
        dir.display()
    ));
    Ok((session, market))
}
