//! What tests of several stages share: a session of the generated market, and its rules.

use dsl::span::Source;
use model::instrument::{Instrument, Kind};

use crate::generate::Generated;
use crate::program::{self, Bound};
use crate::setup::{
    AccountSetup, Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup,
};

/// Returns a session of BTC and ETH, perpetuals or spot as `kind` says, with quotes and trades but
/// no book, one account and no balance, and the facts of the instruments as `change` leaves them.
pub(crate) fn demo_setup(kind: Kind, change: impl Fn(&mut Instrument)) -> (Setup, Vec<Instrument>) {
    let mut described = Generated::new(0, 1).instruments();
    described.truncate(2);
    for (instrument, carries) in &mut described {
        *carries = Carried { quotes: true, trades: true, ..Carried::default() };
        instrument.kind = kind;
        change(instrument);
    }
    let setup = Setup {
        semantics: SEMANTICS,
        mode: Mode::Demo,
        run_id: String::new(),
        config: None,
        seed: 7,
        reporting: "USDT".to_owned(),
        assets: ["USDT", "BTC", "ETH"].map(str::to_owned).to_vec(),
        instruments: described.iter().map(|(i, c)| InstrumentSetup::of(i, *c)).collect(),
        accounts: vec![AccountSetup {
            name: "paper".to_owned(),
            venue: "demo".to_owned(),
            linear: kind == Kind::LinearPerpetual,
            balances: Vec::new(),
            protect: Vec::new(),
        }],
        sources: Vec::new(),
        paper: PaperSetup::constant(0, 0),
        traded: vec![0, 1],
        money: MoneySetup::plain(),
    };
    (setup, described.into_iter().map(|(instrument, _)| instrument).collect())
}

/// Returns rules, written without their first line, bound to a session.
pub(crate) fn bound(rules: &str, setup: &Setup, instruments: &[Instrument]) -> Bound {
    let text = format!("rules 1\n{rules}\n");
    let sources = vec![Source { name: "t.rules".to_owned(), text }];
    let checked = program::load(sources).expect("rules");
    program::bind(&checked, setup, instruments).expect("binding")
}
