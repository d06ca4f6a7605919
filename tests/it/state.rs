//! State images: a stage that was imaged and loaded goes on exactly as the one that was not.
//!
//! The image is what snapshots, hot reload and what-if stand on, so each stage must hold its whole
//! state in it, in fixed order, and refuse bytes that are not its own.

use std::path::Path;

use engine::execution::Execution;
use engine::paper::Paper;
use engine::recorder::Gate;
use engine::risk::Risk;
use engine::session::Session;
use engine::setup::Carried;
use engine::stage::{Out, Stage};
use engine::strategy::Strategy;
use journal::SinkKind;
use model::book::Book;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Body, Event, Kind, Lane};
use model::id::InstrumentId;
use model::order::Side;

use crate::session::lab::{Backtest, MERGED, again, defaults, events, fused, generated, journaled};

/// Events after the image.
const AFTER: usize = 10_000;

fn image(of: &impl Image) -> Vec<u8> {
    let mut writer = ImageWriter::default();
    of.save(&mut writer);
    writer.finish()
}

fn load(into: &mut impl Image, bytes: &[u8]) -> Result<(), ImageError> {
    let mut reader = ImageReader::new(bytes);
    into.load(&mut reader)?;
    reader.finish()
}

/// The three stages behind feed.
#[derive(Clone)]
struct Stages {
    strategy: Strategy,
    risk: Risk,
    execution: Execution,
    outs: [Out; 3],
}

impl Stages {
    fn new(session: &Session) -> Self {
        let stations = session.stations(Gate::off());
        Self {
            strategy: stations.strategy.stage,
            risk: stations.risk.stage,
            execution: stations.egress.station.stage,
            outs: [Out::new(), Out::new(), Out::new()],
        }
    }

    /// Passes an event through and appends what each stage puts out of its own.
    fn step(&mut self, event: &Event, told: &mut Vec<Event>) {
        let [first, second, third] = &mut self.outs;
        first.clear();
        self.strategy.step(event, first);
        for event in first.events() {
            second.clear();
            self.risk.step(event, second);
            for event in second.events() {
                third.clear();
                self.execution.step(event, third);
                told.extend(third.events());
            }
            told.extend(second.events());
        }
        told.extend(first.events());
    }

    fn images(&self) -> [Vec<u8>; 3] {
        [image(&self.strategy), image(&self.risk), image(&self.execution)]
    }

    fn load(&mut self, images: &[Vec<u8>; 3]) -> Result<(), ImageError> {
        load(&mut self.strategy, &images[0])?;
        load(&mut self.risk, &images[1])?;
        load(&mut self.execution, &images[2])
    }
}

/// Inputs of a journal, and the session that read them.
struct Tape {
    session: Session,
    inputs: Vec<Event>,
    /// Inputs and what left, in the order of the file.
    venue: Vec<Event>,
}

impl Tape {
    fn of(dir: &Path) -> Self {
        let (session, _) = again(dir);
        let all = events(dir);
        let lane = |lane: Lane| move |event: &&Event| event.kind().lane() == lane;
        let inputs = all.iter().filter(lane(Lane::Input)).copied().collect();
        let venue = all
            .iter()
            .filter(|event| matches!(event.kind().lane(), Lane::Input | Lane::Egress))
            .copied()
            .collect();
        Self { session, inputs, venue }
    }

    fn generated(seed: u64, seconds: u64) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("run");
        let (session, mut market) = generated(seed, seconds, defaults());
        journaled(&session, &mut market, &dir, SinkKind::Mmap, &fused());
        Self::of(&dir)
    }

    /// Returns the places of the image: where an order is open and an event is whole.
    fn places(&self, count: usize) -> Vec<usize> {
        let last = self.inputs.len().saturating_sub(AFTER);
        assert!(last > 1_000, "{} events", self.inputs.len());
        let ends = |at: &usize| self.inputs[*at - 1].kind() != Kind::BarExtra;
        // Right behind an acknowledgement an order is open, its lock and its timer stand.
        let acks = (1..last).filter(|at| self.inputs[*at - 1].kind() == Kind::OrderAck);
        let acks: Vec<usize> = acks.filter(ends).collect();
        assert!(acks.len() >= count, "{} acknowledgements", acks.len());
        (0..count).map(|nth| acks[nth * (acks.len() - 1) / (count - 1)]).collect()
    }
}

/// Images the stages after the first events and runs both on.
fn check(tape: &Tape, at: usize) {
    let mut whole = Stages::new(&tape.session);
    let mut told = Vec::new();
    for event in &tape.inputs[..at] {
        told.clear();
        whole.step(event, &mut told);
    }
    let images = whole.images();
    let mut loaded = Stages::new(&tape.session);
    loaded.load(&images).expect("an own image");
    assert_eq!(loaded.images(), images, "at {at}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for event in &tape.inputs[at..at + AFTER] {
        ours.clear();
        theirs.clear();
        whole.step(event, &mut ours);
        loaded.step(event, &mut theirs);
        assert_eq!(ours, theirs, "imaged after {at} events");
    }
    assert_eq!(whole.images(), loaded.images(), "after 10,000 more events");
    assert_ne!(whole.images(), images, "something changed meanwhile");
}

#[test]
fn imaged_stages_go_on_as_the_originals_on_the_generated_market() {
    let tape = Tape::generated(2, 900);
    for at in tape.places(6) {
        check(&tape, at);
    }
}

#[test]
fn imaged_stages_go_on_as_the_originals_on_the_merged_capture() {
    let Some(data) = tests::recorded(MERGED) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let ran = Backtest::run(scratch.path(), "run", &data, &["--topology", "fused"]);
    let mut tape = Tape::of(&ran.dir);
    // Levels pass all stages without a trace; what is left is denser.
    tape.inputs.retain(|event| event.kind() != Kind::BookLevel);
    for at in tape.places(3) {
        check(&tape, at);
    }
}

/// The simulated venue with the books it looks at.
#[derive(Clone)]
struct Venue {
    paper: Paper,
    books: Vec<Book>,
    reports: Vec<(InstrumentId, Body)>,
}

impl Venue {
    fn new(session: &Session) -> Self {
        let setup = &session.setup;
        let carries: Vec<Carried> = setup.instruments.iter().map(|i| i.carries).collect();
        let paper = Paper::of(setup, &session.instruments);
        let books = carries.iter().map(|c| if c.book { Book::new() } else { Book::empty() });
        Self { paper, books: books.collect(), reports: Vec::new() }
    }

    fn step(&mut self, event: &Event) {
        match event.body() {
            Body::OrderSent(_) | Body::CancelSent(_) | Body::StopSent(_) => {
                return self.paper.submit(event);
            }
            // What the venue reported comes from this one, not from the journal.
            Body::OrderAck(_) | Body::Fill(_) | Body::OrderDone(_) => return,
            _ => {}
        }
        while self.paper.next_due().is_some_and(|due| due <= event.ts) {
            let report = self.paper.advance(&self.books);
            self.reports.extend(report);
        }
        let at = usize::try_from(event.instrument.0).unwrap();
        match (event.body(), self.books.get_mut(at)) {
            (Body::BookLevel(level), Some(book)) => {
                book.set(level.side, level.price, level.qty);
            }
            (Body::BookClear(_), Some(book)) => book.clear(),
            _ => {}
        }
        self.paper.on_market(event, &self.books);
    }

    fn fills(&self) -> usize {
        self.reports.iter().filter(|(_, body)| matches!(body, Body::Fill(_))).count()
    }
}

fn check_venue(tape: &Tape) {
    let sent = |at: &usize| tape.venue[*at].kind() == Kind::OrderSent;
    let orders: Vec<usize> = (0..tape.venue.len().saturating_sub(AFTER)).filter(sent).collect();
    assert!(orders.len() > 10, "{} orders", orders.len());
    let mut fills = 0;
    for part in [1, 2, 3] {
        // Right behind an order: it travels, others rest or wait.
        let at = orders[orders.len() * part / 4] + 1;
        let mut whole = Venue::new(&tape.session);
        tape.venue[..at].iter().for_each(|event| whole.step(event));
        let saved = image(&whole.paper);
        let mut loaded = Venue::new(&tape.session);
        load(&mut loaded.paper, &saved).expect("an own image");
        assert_eq!(image(&loaded.paper), saved);
        loaded.books = whole.books.clone();
        whole.reports.clear();
        for event in &tape.venue[at..at + AFTER] {
            whole.step(event);
            loaded.step(event);
        }
        assert_eq!(whole.reports, loaded.reports, "imaged after {at} events");
        assert_eq!(image(&whole.paper), image(&loaded.paper));
        assert_eq!(whole.paper, loaded.paper);
        fills += whole.fills();
    }
    println!("{fills} fills after images of the simulated venue");
    assert!(fills > 10, "{fills} fills");
}

#[test]
fn an_imaged_venue_of_quotes_goes_on_as_the_original() {
    check_venue(&Tape::generated(4, 900));
}

#[test]
fn an_imaged_venue_of_books_goes_on_as_the_original() {
    let Some(data) = tests::recorded(MERGED) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let ran = Backtest::run(scratch.path(), "run", &data, &["--topology", "fused"]);
    let mut tape = Tape::of(&ran.dir);
    // Books of instruments that are not traded change nothing at this venue.
    let traded = tape.session.setup.traded.clone();
    tape.venue.retain(|event| traded.contains(&event.instrument.0));
    let deep = tape.venue.iter().filter(|event| match event.body() {
        Body::BookLevel(level) => level.side == Side::Buy,
        _ => false,
    });
    assert!(deep.count() > 100_000);
    check_venue(&tape);
}

/// Every image of a stage, cut at every length and changed at every byte: an error or another
/// state, never a panic.
fn check_refusals<T: Image>(name: &str, bytes: &[u8], fresh: impl Fn() -> T) {
    let step = (bytes.len() / 700).max(1);
    for len in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(40)..bytes.len()) {
        let error = load(&mut fresh(), &bytes[..len]).expect_err("a cut image");
        assert!(matches!(error, ImageError::Short | ImageError::Range), "{name} {len}: {error}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert_eq!(load(&mut fresh(), &longer), Err(ImageError::Long(1)), "{name}");
    for at in (0..bytes.len()).step_by(step) {
        for bit in [1, 0x80] {
            let mut altered = bytes.to_vec();
            altered[at] ^= bit;
            let mut stage = fresh();
            if load(&mut stage, &altered).is_ok() {
                // Loaded: then it says again what it read, up to words that have one spelling.
                assert_eq!(image(&stage).len(), bytes.len(), "{name} at {at}");
            }
        }
    }
    let mut foreign = bytes.to_vec();
    foreign[..4].copy_from_slice(&99_u32.to_le_bytes());
    let refused = load(&mut fresh(), &foreign);
    assert!(matches!(refused, Err(ImageError::Version { found: 99, .. })), "{name}: {refused:?}");
}

#[test]
fn altered_and_cut_images_are_refused_and_never_panic() {
    let tape = Tape::generated(5, 700);
    let at = tape.places(3)[1];
    let (mut stages, mut told) = (Stages::new(&tape.session), Vec::new());
    for event in &tape.inputs[..at] {
        told.clear();
        stages.step(event, &mut told);
    }
    let [strategy, risk, execution] = stages.images();
    let fresh = Stages::new(&tape.session);
    check_refusals("strategy", &strategy, || fresh.strategy.clone());
    check_refusals("risk", &risk, || fresh.risk.clone());
    check_refusals("execution", &execution, || fresh.execution.clone());
    let mut venue = Venue::new(&tape.session);
    tape.venue[..at].iter().for_each(|event| venue.step(event));
    let fresh = Venue::new(&tape.session);
    check_refusals("venue", &image(&venue.paper), || fresh.paper.clone());
}
