//! Sessions of the shipped rules over the generated market: all stages on the calling thread, the
//! simulated venue included, no journal.
//!
//! The market is generated before the clock runs: what is timed is feed, the stages and the
//! simulator. Reading and parsing of recorded files are timed by the figures' `backtest` rows.

use anyhow::{Context, ensure};

use dsl::span::Source as RulesText;
use engine::generate::Generated;
use engine::pipeline::Pipeline;
use engine::recorder::Gate;
use engine::session::{Session, Summary, ToTheEnd, run_id};
use engine::setup::{
    AccountSetup, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup,
};
use engine::source::{Message, Progress, Source};
use engine::tape::Tape;
use model::order::EndReason;
use model::time::Nanos;

/// The rules that ship with the program.
pub const RULES: [(&str, &str); 2] = [
    ("limits.rules", include_str!("../../rules/limits.rules")),
    ("crossover.rules", include_str!("../../rules/crossover.rules")),
];
/// Seed of the market.
pub const SEED: u64 = 7;
/// One way to the simulated venue, and back: as the program's default.
const LATENCY_NS: i64 = 2_000_000;

/// A session and the messages it is to run over.
#[derive(Debug)]
pub struct Workload {
    session: Session,
    messages: Vec<Message>,
}

/// Messages from memory.
#[derive(Debug)]
struct Memory<'a> {
    messages: &'a [Message],
    taken: usize,
}

impl Source for Memory<'_> {
    fn peek(&mut self) -> Option<Nanos> {
        self.messages.get(self.taken).map(|message| message.ts)
    }

    fn take(&mut self, into: &mut Message) -> bool {
        let Some(message) = self.messages.get(self.taken) else { return false };
        self.taken += 1;
        into.ts = message.ts;
        into.source = message.source;
        into.updates.clear();
        into.updates.extend_from_slice(&message.updates);
        true
    }

    fn progress(&self) -> Progress {
        let messages = u64::try_from(self.taken).unwrap_or(0);
        Progress { messages, ..Progress::default() }
    }
}

impl Workload {
    /// Makes a session over `count` generated messages.
    ///
    /// # Errors
    /// The shipped rules do not load or bind.
    pub fn new(count: usize) -> anyhow::Result<Self> {
        let (session, mut market) = generated(u64::try_from(count)?)?;
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            let mut message = Message::default();
            ensure!(
                market.take(&mut message),
                "the market ended after {} messages",
                messages.len()
            );
            messages.push(message);
        }
        Ok(Self { session, messages })
    }

    /// Returns the number of messages.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Runs the session from its first message to its end.
    ///
    /// # Errors
    /// A stage fails.
    #[inline(never)]
    pub fn run(&self) -> anyhow::Result<Summary> {
        let mut source = Memory { messages: &self.messages, taken: 0 };
        let start = source.peek().context("a session needs a message")?;
        let pipeline = Pipeline::fused(self.session.stations(Gate::off()), Tape::off());
        let end = Some(EndReason::EndOfData);
        let (summary, _) = self.session.run(&mut source, pipeline, start, end, &mut ToTheEnd)?;
        Ok(summary)
    }

    /// Runs the session twice; returns what it did.
    ///
    /// # Errors
    /// The two runs differ, or nothing was decided.
    pub fn check(&self) -> anyhow::Result<Summary> {
        let (one, two) = (self.run()?, self.run()?);
        ensure!(one == two, "two runs of one session differ");
        ensure!(one.decisions > 0 && one.fills > 0, "the session decided nothing");
        Ok(one)
    }
}

/// Returns a session of the shipped rules, and a market of at least `count` messages for it.
///
/// # Errors
/// The shipped rules do not load or bind.
pub fn generated(count: u64) -> anyhow::Result<(Session, Generated)> {
    // A message comes every 25 ms on average; twice that and some seconds are enough.
    let seconds = count.div_ceil(20).saturating_add(10);
    let market = Generated::new(SEED, seconds);
    let described = market.instruments();
    let mut setup = Setup {
        semantics: SEMANTICS,
        mode: Mode::Demo,
        run_id: String::new(),
        config: None,
        seed: SEED,
        reporting: "USDT".to_owned(),
        assets: ["USDT", "BTC", "ETH", "SOL", "XRP"].map(str::to_owned).to_vec(),
        instruments: described
            .iter()
            .map(|(instrument, carries)| InstrumentSetup::of(instrument, *carries))
            .collect(),
        accounts: vec![AccountSetup {
            name: "paper demo linear".to_owned(),
            venue: "demo".to_owned(),
            linear: true,
            balances: vec![("USDT".to_owned(), 10_000_000_000_000)],
            protect: Vec::new(),
        }],
        sources: vec![market.describe()],
        paper: PaperSetup::constant(LATENCY_NS, LATENCY_NS),
        traded: vec![0, 1],
        money: MoneySetup::plain(),
    };
    let text =
        |(name, text): (&str, &str)| RulesText { name: name.to_owned(), text: text.to_owned() };
    let checked = engine::program::load(RULES.into_iter().map(text).collect())?;
    setup.run_id = format!("{:032x}", run_id(&setup, &checked.sources).0);
    Ok((Session::build(setup, &checked)?, market))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_repeats_itself() {
        let summary = Workload::new(20_000).unwrap().check().unwrap();
        assert_eq!(summary.progress.messages, 20_000);
    }
}
