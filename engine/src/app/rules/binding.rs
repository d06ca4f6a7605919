//! `engine rules check --symbol`: what a session that trades these instruments would refuse.
//!
//! The instruments are those of the embedded table, and their sources carry all that there is, so
//! that only what no data can mend is found: units that an instrument contradicts, a short entry on
//! a cash account, no risk block for all orders.

use dsl::diagnostics::Diagnostic;
use dsl::span::Source;
use engine::program;
use engine::setup::{Carried, InstrumentSetup, Mode, MoneySetup, PaperSetup, SEMANTICS, Setup};
use model::instrument::Instrument;
use model::symbol::Symbol;
use model::time::SECOND_NS;

use super::super::exit::Failure;
use super::super::{data, show};

/// Bars of any length are built of trades; this is the length of those that a source has besides.
const BAR_NS: i64 = 60 * SECOND_NS;

/// Binds rules that are sound to instruments, and returns what does not fit.
///
/// # Errors
/// [`Failure::Usage`] for a name that is none or of no instrument, and for instruments that no one
/// session can count in one asset.
pub(super) fn faults(sources: Vec<Source>, symbols: &[String]) -> Result<Vec<Diagnostic>, Failure> {
    let names = symbols.iter().map(|text| Symbol::parse(text));
    let names: Vec<Symbol> =
        names.collect::<Result<_, _>>().map_err(|error| Failure::Usage(error.into()))?;
    let instruments = data::listed(&names)?;
    let setup = setup(&instruments)?;
    let checked = super::load(sources)?;
    for strategy in &checked.program.strategies {
        let runs = |one: &Instrument| strategy.symbols.iter().any(|(s, _)| s.fits(&one.symbol));
        if !instruments.iter().any(runs) {
            return Err(Failure::usage(format!(
                "strategy {}: it runs on none of --symbol {}; name one of its instruments as well",
                strategy.name,
                symbols.join(", ")
            )));
        }
    }
    match program::bind(&checked, &setup, &instruments) {
        Ok(bound) => {
            bound.notes.iter().for_each(|line| show::note(line));
            Ok(Vec::new())
        }
        Err(refused) => Ok(refused.diagnostics),
    }
}

fn setup(instruments: &[Instrument]) -> Result<Setup, Failure> {
    let reporting = instruments.first().map(|one| one.settle.clone()).unwrap_or_default();
    if let Some(other) = instruments.iter().find(|one| one.settle != reporting) {
        return Err(Failure::usage(format!(
            "--symbol {}: it is settled in {}, and the first in {reporting}; check them apart",
            other.symbol, other.settle
        )));
    }
    let mut assets = vec![reporting.clone()];
    for one in instruments {
        for asset in [&one.symbol.base, &one.symbol.quote] {
            if !assets.contains(asset) {
                assets.push(asset.clone());
            }
        }
    }
    let carries = Carried { quotes: true, book: true, trades: true, bar_ns: BAR_NS };
    let described = instruments.iter().map(|one| InstrumentSetup::of(one, carries));
    Ok(Setup {
        semantics: SEMANTICS,
        config: None,
        mode: Mode::Backtest,
        run_id: String::new(),
        seed: 0,
        reporting,
        assets,
        instruments: described.collect(),
        accounts: Vec::new(),
        sources: Vec::new(),
        paper: PaperSetup::constant(0, 0),
        traded: (0_u32..).zip(instruments).map(|(id, _)| id).collect(),
        money: MoneySetup::plain(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_of_two_settlement_assets_are_checked_apart() {
        let names = ["binance:BTC_USDT", "binanceus:BTC_USD"];
        let names: Vec<Symbol> = names.iter().map(|name| Symbol::parse(name).unwrap()).collect();
        let mut instruments = data::listed(&names).unwrap();
        assert_eq!(setup(&instruments).unwrap().reporting, "USDT");
        // The table settles this one in USDT; an entry need not.
        instruments[1].settle = "USD".to_owned();
        let refused = format!("{:?}", setup(&instruments).unwrap_err());
        let says = "--symbol binanceus:BTC_USD: it is settled in USD, and the first in USDT";
        assert!(refused.contains(says), "{refused}");
    }
}
