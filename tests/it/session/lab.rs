//! What the session tests share: sessions in this process and in a child, and their records.

use std::path::{Path, PathBuf};

use dsl::span::Source as RulesText;
use engine::generate::Generated;
use engine::idle::Wait;
use engine::pipeline::Finished;
use engine::program;
use engine::replay::{JournalSource, Origin, Replayed};
use engine::session::journaled::{JournalSpec, Ran};
use engine::session::{Session, Summary, ToTheEnd};
use engine::setup::{
    AccountSetup, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup, SourceSetup,
};
use engine::source::Source;
use engine::topology::Placement;
use journal::{Reader, SinkKind};
use model::codec::decode;
use model::event::{EVENT_BYTES, Event};
use serde_json::Value;

/// The capture of four Binance feeds.
pub(crate) const MERGED: &str = "raw_ws/merged_binance_4feeds_20240808_09.tsv.zst";

/// All stages on one thread.
pub(crate) fn fused() -> Placement {
    let wait = Wait::SpinPark;
    Placement {
        split: false,
        wait,
        journal_wait: wait,
        gate_wait: wait,
        cores: Vec::new(),
        spare_cores: Vec::new(),
        note: None,
    }
}

/// One thread a stage. They park: the machine may have fewer processors.
pub(crate) fn split() -> Placement {
    Placement { split: true, ..fused() }
}

/// Returns a file of rules that ships with the program.
pub(crate) fn shipped(name: &str) -> RulesText {
    let path = tests::root().join("rules").join(name);
    let text = std::fs::read_to_string(&path).expect("a file of rules");
    RulesText { name: format!("rules/{name}"), text }
}

/// Returns the rules that run without `--rules`.
pub(crate) fn defaults() -> Vec<RulesText> {
    vec![shipped("limits.rules"), shipped("crossover.rules")]
}

/// Returns a session of the generated market, and the market.
pub(crate) fn generated(seed: u64, seconds: u64, texts: Vec<RulesText>) -> (Session, Generated) {
    let market = Generated::new(seed, seconds);
    let instruments = market.instruments();
    let setup = Setup {
        semantics: SEMANTICS,
        mode: Mode::Demo,
        run_id: format!("{seed:032x}"),
        config: None,
        seed,
        reporting: "USDT".to_owned(),
        assets: ["USDT", "BTC", "ETH", "SOL", "XRP"].map(str::to_owned).to_vec(),
        instruments: instruments.iter().map(|(i, c)| InstrumentSetup::of(i, *c)).collect(),
        accounts: vec![AccountSetup {
            name: "paper demo linear".to_owned(),
            venue: "demo".to_owned(),
            linear: true,
            balances: vec![("USDT".to_owned(), 10_000_000_000_000)],
            protect: Vec::new(),
        }],
        sources: vec![SourceSetup { ..market.describe() }],
        paper: PaperSetup::constant(2_000_000, 2_000_000),
        traded: vec![0, 1],
        money: MoneySetup::plain(),
    };
    let checked = program::load(texts).expect("rules");
    (Session::build(setup, &checked).expect("a session"), market)
}

/// Runs a session in this process, journaled.
pub(crate) fn journaled(
    session: &Session,
    source: &mut dyn Source,
    dir: &Path,
    sink: SinkKind,
    placement: &Placement,
) -> Ran {
    let spec = JournalSpec {
        dir: dir.to_owned(),
        segment_bytes: 16 << 20,
        sink,
        sync: false,
        build_hash: [7; 32],
    };
    engine::session::journaled::run(session, source, Some(&spec), placement, &mut ToTheEnd)
        .expect("a session")
}

/// Replays a journal in this process.
pub(crate) fn replayed(dir: &Path, placement: &Placement) -> Replayed {
    engine::replay::replay(dir, None, placement, &mut ToTheEnd).expect("a replay")
}

/// Replays a journal in this process and asserts that every record is the same.
#[track_caller]
pub(crate) fn assert_replays(dir: &Path, placement: &Placement, hash: &str) -> Summary {
    let replayed = replayed(dir, placement);
    assert_eq!(replayed.difference, None, "{}", dir.display());
    assert!(replayed.compared > replayed.summary.decisions, "{} compared", replayed.compared);
    assert!(replayed.compared < replayed.records, "metadata and rules are not compared");
    assert_eq!(replayed.summary.decisions_hash, hash);
    replayed.summary
}

/// A backtest in a child process.
#[derive(Debug)]
pub(crate) struct Backtest {
    /// Its journal.
    pub(crate) dir: PathBuf,
    /// What `--json` printed.
    pub(crate) json: Value,
}

impl Backtest {
    /// Runs recorded data in a child process, journaled below `scratch`.
    #[track_caller]
    pub(crate) fn run(scratch: &Path, name: &str, data: &Path, more: &[&str]) -> Self {
        let dir = scratch.join(name);
        let (data, journal) = (data.display().to_string(), dir.display().to_string());
        let mut arguments = vec!["--json", "backtest", "--data", &data, "--journal", &journal];
        arguments.extend(more);
        let ran = tests::program::run(scratch, &arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        Self { dir, json: ran.json() }
    }

    /// Returns a count of the result.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.json[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.json))
    }

    /// Returns the hash of the decisions.
    #[track_caller]
    pub(crate) fn hash(&self) -> &str {
        self.json["decisions_hash"].as_str().expect("a hash")
    }

    /// Returns how much was decided.
    #[track_caller]
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            verdicts: self.count("decisions"),
            approvals: self.count("approvals"),
            fills: self.count("fills"),
            codes: self.json["refusals"].as_object().map_or(0, serde_json::Map::len),
        }
    }
}

/// How much a session decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) verdicts: u64,
    pub(crate) approvals: u64,
    pub(crate) fills: u64,
    pub(crate) codes: usize,
}

impl Evidence {
    /// Asserts what a journal must hold that is shown as proof.
    #[track_caller]
    pub(crate) fn assert_proves(&self, of: &str) {
        println!("{of}: {self:?}");
        let enough =
            self.verdicts >= 1_000 && self.approvals >= 50 && self.fills >= 20 && self.codes >= 5;
        assert!(enough, "{of}: {self:?} proves too little");
    }

    /// Asserts that something was decided and filled.
    #[track_caller]
    pub(crate) fn assert_not_empty(&self, of: &str) {
        println!("{of}: {self:?}");
        let some = self.verdicts >= 10 && self.approvals >= 5 && self.fills >= 5;
        assert!(some, "{of}: {self:?} proves nothing");
    }
}

impl From<&Summary> for Evidence {
    fn from(summary: &Summary) -> Self {
        let Summary { decisions: verdicts, approvals, fills, .. } = *summary;
        Self { verdicts, approvals, fills, codes: summary.refusals.len() }
    }
}

/// Returns the session of a journal, and its market data to run it again on.
pub(crate) fn again(dir: &Path) -> (Session, JournalSource) {
    let origin = Origin::read(dir).expect("an origin");
    let checked = program::load(origin.texts).expect("rules");
    let session = Session::build(origin.setup, &checked).expect("a session");
    (session, JournalSource::open(dir).expect("market data"))
}

/// Lanes of a journal that hold what was decided, and what left.
pub(crate) const DECISION_LANES: [u8; 4] =
    [journal::LANE_STRATEGY, journal::LANE_RISK, journal::LANE_EXECUTION, journal::LANE_EGRESS];

/// Asserts that two journals hold the same bytes in their decision lanes, each in its own order.
/// Returns how many records were compared.
#[track_caller]
pub(crate) fn assert_same_decisions(one: &Path, other: &Path) -> u64 {
    let compared = assert_begins_with(one, other);
    assert_eq!(assert_begins_with(other, one), compared);
    compared
}

/// Asserts that each decision lane of a journal begins with the bytes of another's. Returns how
/// many records that other one has in them.
#[track_caller]
pub(crate) fn assert_begins_with(whole: &Path, part: &Path) -> u64 {
    let mut compared = 0;
    for lane in DECISION_LANES {
        let (mut left, mut right) = (Reader::open(whole).unwrap(), Reader::open(part).unwrap());
        while let Some(theirs) = next_of(&mut right, lane) {
            let (ours, theirs) = (next_of(&mut left, lane), Some(theirs));
            assert_eq!(ours, theirs, "lane {lane} of {} and {}", whole.display(), part.display());
            compared += 1;
        }
    }
    compared
}

type Bytes = (u64, i64, u16, u8, Vec<u8>);

fn next_of(reader: &mut Reader, lane: u8) -> Option<Bytes> {
    while let Some(record) = reader.next().expect("a record") {
        let header = record.header;
        if header.lane == lane {
            let payload = record.payload.to_vec();
            return Some((header.seq, header.ts_ns, header.kind, header.flags, payload));
        }
    }
    None
}

/// Calls `see` with every event of a journal, in the order of the file.
pub(crate) fn for_each_event(dir: &Path, mut see: impl FnMut(&Event)) {
    let mut reader = Reader::open(dir).expect("a journal");
    while let Some(record) = reader.next().expect("a record") {
        let control = record.header.lane == journal::LANE_CONTROL;
        if control || record.header.kind >= engine::tape::KIND_TEXT_MIN {
            continue;
        }
        for bytes in record.payload.chunks(EVENT_BYTES) {
            see(&decode(bytes).expect("an event"));
        }
    }
}

/// Returns every event of a journal, in the order of the file.
pub(crate) fn events(dir: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for_each_event(dir, |event| events.push(*event));
    events
}

/// Returns the refusals of the stages' last state; the journal is sealed by then.
pub(crate) fn verdicts(finished: &Finished) -> u64 {
    finished.stations.risk.verdicts.decisions
}
