//! `engine backtest`: recorded data through strategies, risk and the simulated venue.

use std::path::Path;

use engine::program::Checked;
use engine::session::Session;
use engine::session::journaled::{JournalSpec, run as run_session};
use engine::setup::Mode;
use model::symbol::Symbol;

use super::cli::{BacktestArgs, Cli};
use super::clock::Clock;
use super::data::{DataArg, Opened, Request, damaged, open};
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
pub(super) fn run(cli: &Cli, args: &BacktestArgs) -> Result<Finding, Failure> {
    let clock = Clock::start();
    let checked = rules::load(rules::sources(&args.rules)?)?;
    let symbols = args
        .symbol
        .iter()
        .map(|text| Symbol::parse(text).map_err(|error| Failure::Usage(error.into())))
        .collect::<Result<Vec<_>, _>>()?;
    let request = request(args, &symbols)?;
    let placement = placement(args.run.topology, args.run.wait)?;
    let ready = ready(cli, args, &symbols, (&request, &checked));
    let Ready { mut opened, spec, mut session } =
        ready.map_err(|failure| damage_first(failure, &request))?;
    for line in opened.notes.iter().chain(&session.bound.notes) {
        show::note(line);
    }
    show::diagnostics(&checked.sources, &checked.warnings);
    let measuring = Measuring::start(&args.run, spec.as_ref(), &mut session)?;
    let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
    let ran = run_session(&session, opened.source.source(), spec.as_ref(), &placement, &mut watch);
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
    } else {
        report.print();
        if let Some(spec) = &spec {
            let (program, dir) = (show::program(), quoted(spec.dir.as_os_str()));
            show::out(&format!("Try next: {program} replay {dir}"));
        }
    }
    if is_damaged(&request, &opened) {
        return Ok(Finding::Damage);
    }
    let unequal = ran.summary.book_checks.1 > 0;
    Ok(if unequal { Finding::Something } else { Finding::Nothing })
}

/// What a session is run with.
struct Ready {
    opened: Opened,
    spec: Option<JournalSpec>,
    session: Session,
}

fn ready(
    cli: &Cli,
    args: &BacktestArgs,
    symbols: &[Symbol],
    (request, checked): (&Request, &Checked),
) -> Result<Ready, Failure> {
    let mut opened = open(request)?;
    let setup = Plan {
        mode: Mode::Backtest,
        seed: args.seed,
        reporting: &args.reporting,
        capital: &args.capital,
        symbols,
        instruments: &opened.instruments,
        sources: std::mem::take(&mut opened.sources),
        checked,
        run: &args.run,
    }
    .setup()?;
    let spec = journal_spec(&args.run, &setup, &cli.data_dir)?;
    if let Some(spec) = &spec {
        apart(&spec.dir, request)?;
    }
    let session = Session::build(setup, checked)?;
    Ok(Ready { opened, spec, session })
}

/// Refuses to write a journal into the one that is read.
fn apart(dir: &Path, request: &Request) -> Result<(), Failure> {
    // What does not exist yet lies where the nearest folder above it does.
    let above = dir.ancestors().find_map(|above| match above.as_os_str().is_empty() {
        true => Path::new(".").canonicalize().ok(),
        false => above.canonicalize().ok(),
    });
    let data = request.data.iter().map(|arg| arg.path.as_path()).filter(|path| path.is_dir());
    let mut read = data.filter(|path| {
        let read = path.canonicalize().ok();
        read.is_some_and(|read| above.as_ref().is_some_and(|above| above.starts_with(read)))
    });
    match read.next() {
        None => Ok(()),
        Some(read) => Err(Failure::usage(format!(
            "--journal {}: it lies in {}, the journal that is read; choose another folder",
            dir.display(),
            read.display()
        ))),
    }
}

/// Says that data is damaged before what does not fit it: an instrument that is missing may stand
/// in the part that is missing.
fn damage_first(failure: Failure, request: &Request) -> Failure {
    let then = match &failure {
        Failure::Usage(error) => error.to_string(),
        Failure::Rules(rules) => match rules.diagnostics.first() {
            Some(first) => first.message.clone(),
            None => return failure,
        },
        Failure::Corrupt(_) | Failure::Internal(_) => return failure,
    };
    match damaged(request) {
        None => failure,
        Some(path) => Failure::Corrupt(anyhow::anyhow!(
            "{}: the data ends early: cut or damaged; fetch it again (what is left does not \
             suffice: {then})",
            path.display()
        )),
    }
}

/// Tells which files were damaged or of no use; false when none was.
fn is_damaged(request: &Request, opened: &Opened) -> bool {
    let names = |files: &[usize]| {
        let paths = files.iter().filter_map(|index| request.data.get(*index));
        paths.map(|arg| arg.path.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    let early = opened.source.ended_early();
    if !early.is_empty() {
        show::note(&format!(
            "error: {}: the data ends early: cut, damaged, or shortened while it was read; what \
             was readable is in the result, and each fault in the journal; fetch the file again",
            names(&early)
        ));
    }
    let unusable = opened.source.unusable();
    if !unusable.is_empty() {
        show::note(&format!(
            "error: nothing of {} could be used: every message is bad; see why with --journal DIR \
             and `journal dump DIR --kind BadInput`, and check what the file holds and the facts \
             of --instrument",
            names(&unusable)
        ));
    }
    !(early.is_empty() && unusable.is_empty())
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
