//! A session from what was asked for to its report: the one way of `demo`, `backtest` and `run`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use engine::generate::Generated;
use engine::program::Checked;
use engine::session::Session;
use engine::session::journaled::{JournalSpec, Ran, run as run_session};
use engine::session::resume::{Rest, Resumed, resume};
use engine::setup::{Carried, Mode, Setup, SourceSetup};
use engine::source::Source;
use engine::topology::{available_cores, place};
use journal::SinkKind;
use model::instrument::Instrument;

use super::cli::Cli;
use super::clock::Clock;
use super::config::{self, ConfigArgs, Loaded};
use super::data::{DataArg, Opened, Request, damaged, open, restate};
use super::exit::{Failure, Finding};
use super::latency::{Measured, Measuring, Wish};
use super::level::{Listener, Orders};
use super::pace::{Paced, Speed};
use super::plan::{Asked, Journaling, Market, Wanted};
use super::quote::quoted;
use super::report::Report;
use super::watch::Watch;
use super::{rules, show};

/// Options of `run`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What is to be run.
    #[command(flatten)]
    from: ConfigArgs,
    /// Check the configuration, the data and the rules, and run nothing.
    #[arg(long)]
    check: bool,
    /// Pace of the data, over what the configuration says: real, max, or so many times as fast.
    #[arg(long, value_name = "N|max|real")]
    speed: Option<Speed>,
}

/// Runs `engine run`.
///
/// # Errors
/// [`Failure`] when the configuration is faulty, or the session cannot be built or run.
pub(super) fn run(cli: &Cli, args: &Arguments) -> Result<Finding, Failure> {
    if args.from.config.is_empty() {
        return Err(Failure::usage(
            "run needs a configuration: --config FILE; `engine config default` prints one to \
             begin with",
        ));
    }
    let loaded = config::load(&args.from)?;
    loaded.notes.iter().for_each(|line| show::note(line));
    let mut wanted = wanted(&loaded)?;
    if let Some(speed) = args.speed {
        wanted.speed = speed;
    }
    if args.check {
        return check(cli, &wanted, &loaded);
    }
    let done = Done::of(cli, &wanted)?;
    if !cli.json
        && let Some(spec) = &done.spec
    {
        let (program, dir) = (show::program(), quoted(spec.dir.as_os_str()));
        show::out(&format!("Try next: {program} replay {dir}"));
    }
    Ok(done.finding)
}

/// Builds everything and runs nothing.
fn check(cli: &Cli, wanted: &Wanted<'_>, loaded: &Loaded) -> Result<Finding, Failure> {
    let ready = Ready::of(cli, wanted)?;
    ready.tell();
    let traded = ready.session.traded_names();
    let Setup { mode, run_id, accounts, .. } = &ready.session.setup;
    if cli.json {
        let accounts: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
        let object = json!({
            "mode": mode.name(), "run_id": run_id, "traded": traded, "accounts": accounts,
            "hash": loaded.hash, "errors": [],
        });
        show::out(&object.to_string());
    } else {
        show::out(&format!(
            "All is well: a {} of {}, at pace {}; nothing was run",
            mode.name(),
            traded.join(", "),
            wanted.speed,
        ));
    }
    Ok(Finding::Nothing)
}

/// Returns what a configuration asks for.
fn wanted(loaded: &Loaded) -> Result<Wanted<'_>, Failure> {
    let config = &loaded.config;
    let request = Request {
        data: config.files.clone(),
        instruments: config.instruments.clone(),
        facts: config.fees.clone(),
        instrument_file: config.table.clone(),
        settle: config.settle.clone(),
        symbol: match config.symbols.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        },
    };
    let all = available_cores();
    let cores = if config.cores.is_empty() { &all } else { &config.cores };
    let placement = place(config.layout, config.wait, cores)
        .map_err(|error| loaded.refuse("topology", &error.to_string()))?;
    Ok(Wanted {
        asked: Asked::Config(loaded),
        heading: None,
        resume: None,
        mode: config.mode,
        seed: config.seed,
        market: match config.mode {
            Mode::Backtest => Market::Recorded(request),
            Mode::Demo => Market::Generated(config.seconds, request),
        },
        is_attended: true,
        speed: config.speed,
        rules: config.rules.clone(),
        reporting: config.reporting.clone(),
        kind: config.kind,
        balances: config.balances.clone(),
        symbols: config.symbols.clone(),
        money: config.money.clone(),
        paper: config.paper.clone(),
        journal: Journaling {
            dir: config.journal.clone(),
            sink: if config.pwrite { SinkKind::Pwrite } else { SinkKind::Mmap },
            segment_mib: config.segment_mib,
            sync: config.sync,
        },
        placement,
        measured: Wish::new(&config.latency, config.latency_log.as_ref()),
        config: Some(loaded.hash.clone()),
    })
}

/// A market that is open.
#[derive(Debug)]
enum Feeding {
    Recorded(Box<Opened>, Request),
    Generated(Box<Generated>),
}

/// What a market has, taken out of it once.
#[derive(Debug)]
struct Stock {
    instruments: Vec<(Instrument, Carried)>,
    sources: Vec<SourceSetup>,
    notes: Vec<String>,
}

impl Market {
    fn open(&self, seed: u64) -> Result<(Feeding, Stock), Failure> {
        match self {
            Self::Recorded(request) => {
                let mut opened = open(request)?;
                let stock = Stock {
                    instruments: opened.instruments.clone(),
                    sources: std::mem::take(&mut opened.sources),
                    notes: std::mem::take(&mut opened.notes),
                };
                Ok((Feeding::Recorded(Box::new(opened), request.clone()), stock))
            }
            Self::Generated(seconds, request) => {
                let market = Generated::new(seed, *seconds);
                let (mut instruments, mut notes) = (market.instruments(), Vec::new());
                restate(request, &mut instruments, &mut notes)?;
                let sources = vec![market.describe()];
                let stock = Stock { instruments, sources, notes };
                Ok((Feeding::Generated(Box::new(market)), stock))
            }
        }
    }

    /// Says that data is damaged before what does not fit it: an instrument that is missing may
    /// stand in the part that is missing.
    fn damage_first(&self, failure: Failure) -> Failure {
        let Self::Recorded(request) = self else { return failure };
        let then = match &failure {
            Failure::Usage(error) => error.to_string(),
            Failure::Rules(rules) => match rules.diagnostics.first() {
                Some(first) => first.message.clone(),
                None => return failure,
            },
            Failure::Config(faults) => match faults.found.first() {
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
}

impl Feeding {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Recorded(opened, _) => opened.source.source(),
            Self::Generated(market) => market.as_mut(),
        }
    }

    /// Tells which files were damaged or of no use; false when none was.
    fn is_damaged(&self) -> bool {
        let Self::Recorded(opened, request) = self else { return false };
        let names = |files: &[usize]| {
            let paths = files.iter().filter_map(|index| request.data.get(*index));
            let names = paths.map(|arg: &DataArg| arg.path.display().to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        let early = opened.source.ended_early();
        if !early.is_empty() {
            show::note(&format!(
                "error: {}: the data ends early: cut, damaged, or shortened while it was read; \
                 what was readable is in the result, and each fault in the journal; fetch the \
                 file again",
                names(&early)
            ));
        }
        let unusable = opened.source.unusable();
        if !unusable.is_empty() {
            show::note(&format!(
                "error: nothing of {} could be used: every message is bad; see why with --journal \
                 DIR and `journal dump DIR --kind BadInput`, and check what the file holds and \
                 the facts of --instrument",
                names(&unusable)
            ));
        }
        !(early.is_empty() && unusable.is_empty())
    }
}

/// A session that is ready to run.
struct Ready {
    /// The rules, unless they are a killed session's own.
    checked: Option<Checked>,
    feeding: Feeding,
    notes: Vec<String>,
    spec: Option<JournalSpec>,
    session: Session,
}

impl Ready {
    fn of(cli: &Cli, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        if let (Some(dir), Market::Generated(seconds, _)) = (&wanted.resume, &wanted.market) {
            return Self::resumed(cli, wanted, (dir, *seconds));
        }
        let sources = match wanted.market {
            Market::Recorded(_) => rules::sources(&wanted.rules)?,
            Market::Generated(..) => rules::demo_sources(&wanted.rules)?,
        };
        let checked = rules::load(sources)?;
        Self::with(cli, wanted, checked).map_err(|failure| wanted.market.damage_first(failure))
    }

    fn with(cli: &Cli, wanted: &Wanted<'_>, checked: Checked) -> Result<Self, Failure> {
        let (mut feeding, stock) = wanted.market.open(wanted.seed)?;
        let Stock { instruments, sources, mut notes } = stock;
        let setup = wanted.setup(&instruments, sources, &checked)?;
        let spec = wanted.journal.spec(wanted.asked, &setup, &cli.data_dir)?;
        if let (Some(spec), Market::Recorded(request)) = (&spec, &wanted.market) {
            apart(&spec.dir, request)?;
        }
        notes.extend(Wanted::fixed_rates(&setup));
        if let Feeding::Recorded(opened, _) = &mut feeding {
            opened.source.of_session(&setup);
        }
        let session = Session::build(setup, &checked).map_err(|error| wanted.not_built(error))?;
        let checked = Some(checked);
        Ok(Self { checked, feeding, notes, spec, session })
    }

    /// Brings a killed session back, and its market from the beginning.
    fn resumed(
        cli: &Cli,
        wanted: &Wanted<'_>,
        (dir, seconds): (&Path, u64),
    ) -> Result<Self, Failure> {
        let Resumed { session, compared, repaired } = resume(dir)?;
        let market = Generated::new(session.setup.seed, seconds);
        let (own, described) = (market.describe(), session.setup.sources.first());
        if described != Some(&own) {
            let described = described.map_or("nothing", |source| source.name.as_str());
            return Err(Failure::usage(format!(
                "--resume {}: the session's market was `{described}`, and not `{}`; give \
                 --seconds as it was, and the journal of a demo",
                dir.display(),
                own.name
            )));
        }
        let spec = wanted.journal.spec(wanted.asked, &session.setup, &cli.data_dir)?;
        let seq = session.snapshot().map_or(0, |snapshot| snapshot.seq.0);
        let torn = if repaired { "; its torn tail was cut" } else { "" };
        let notes = vec![format!(
            "note: {}: {compared} records computed again, all the same; going on from seq \
             {seq}{torn}",
            dir.display()
        )];
        let feeding = Feeding::Generated(Box::new(market));
        Ok(Self { checked: None, feeding, notes, spec, session })
    }

    /// Prints what was assumed.
    fn tell(&self) {
        for line in self.notes.iter().chain(&self.session.bound.notes) {
            show::note(line);
        }
        if let Some(checked) = &self.checked {
            show::diagnostics(&checked.sources, &checked.warnings);
        }
    }
}

/// A session that has ended, and was told.
pub(super) struct Done {
    /// Where it was journaled.
    pub(super) spec: Option<JournalSpec>,
    /// What is to be looked at.
    pub(super) finding: Finding,
}

impl Done {
    /// Runs a session to its end and prints its report.
    ///
    /// # Errors
    /// [`Failure`] when the session cannot be built or run.
    pub(super) fn of(cli: &Cli, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let clock = Clock::start();
        let mut ready = Ready::of(cli, wanted)?;
        ready.tell();
        let Ready { feeding, spec, session, .. } = &mut ready;
        let measuring = Measuring::start(&wanted.measured, spec.as_ref(), session)?;
        let mut watch = Watch::new(!cli.no_progress && !cli.json)?;
        let ran = {
            let (mut rest, mut paced);
            let mut source = feeding.source();
            if let Some(snapshot) = session.snapshot() {
                rest = Rest::of(source, snapshot.messages);
                source = &mut rest;
            }
            let _listener;
            if wanted.is_attended {
                let orders = Arc::new(Orders::default());
                watch.take_orders(&orders, &cli.data_dir)?;
                let stands = (session.level()?, session.bound.level_takes_two());
                _listener = Listener::start(&cli.data_dir, &orders, stands)?;
                paced = Paced::new(source, wanted.speed, watch.signals(), orders);
                source = &mut paced;
            }
            run_session(session, source, spec.as_ref(), &wanted.placement, &mut watch)
        };
        watch.done();
        let mut ran = ran?;
        let latency = measuring.map(|measuring| measuring.finish(&mut ran)).transpose()?;
        told(cli, wanted, &ready, (&ran, latency.as_ref()), clock.elapsed());
        let unequal = ran.summary.book_checks.1 > 0;
        let finding = match ready.feeding.is_damaged() {
            true => Finding::Damage,
            false if unequal => Finding::Something,
            false => Finding::Nothing,
        };
        Ok(Self { spec: ready.spec, finding })
    }
}

fn told(
    cli: &Cli,
    wanted: &Wanted<'_>,
    ready: &Ready,
    (ran, latency): (&Ran, Option<&Measured>),
    took: Duration,
) {
    let report = Report {
        session: &ready.session,
        ran,
        journal: ready.spec.as_ref().map(|spec| spec.dir.as_path()),
        placement: &wanted.placement,
        latency,
        took,
    };
    if cli.json {
        show::out(&report.json().to_string());
    } else {
        wanted.heading.into_iter().for_each(show::out);
        report.print();
    }
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
