//! Instruments as facts, and facts as instruments.

use crate::app::data::facts::{self, Grid};
use crate::app::data::journaled;
use crate::app::data::table::Table;

/// Both ends of what can be stated, and every entry of the embedded table: `--instrument` over a
/// journal is laid over the facts of its instruments.
#[test]
fn an_instrument_stated_as_facts_is_the_same_instrument() {
    let table = Table::load(None).unwrap();
    let ends = [
        "sim:A_B,tick=1,lot=1,min_qty=1,max_qty=92233720368.54775807,fee_taker=-1%,fee_maker=10%",
        "sim:A_B,tick=0.000000000000000001,lot=0.000000001,min_notional=9223372036.854775807",
        "sim:A_B.PERP,tick=0.5,lot=0.1,price_decimals=3,qty_decimals=5,max_leverage=1000,\
         maintenance_rate=100%,max_mark_age=366d,fee_asset=received,settle=C,venue_symbol=X",
        "sim:A_B,tick=25,lot=100,protect=0.000000001,half_spread=1bps,max_mark_spread=33%",
    ];
    let mut facts = facts::parse_specs(&ends.map(str::to_owned)).unwrap();
    facts.extend(table.symbols().map(|symbol| {
        let entry = table.entry(&symbol).unwrap().clone();
        (symbol, entry)
    }));
    assert!(facts.len() > 10, "the embedded table has instruments");
    for (symbol, stated) in facts {
        let grid = Grid { price_decimals: 4, qty_decimals: 8 };
        let stated = stated.over(table.defaults());
        let instrument = facts::build(&symbol, &stated, grid).unwrap();
        let again = facts::build(&symbol, &journaled::facts_of(&instrument), Grid::default());
        assert_eq!(again.unwrap(), instrument);
    }
}

/// Without data nothing says how fine prices and quantities are but the table.
#[test]
fn each_entry_of_the_table_states_its_steps_and_can_be_had_without_data() {
    let table = Table::load(None).unwrap();
    let symbols: Vec<_> = table.symbols().collect();
    for symbol in &symbols {
        let entry = table.entry(symbol).unwrap();
        assert!(entry.tick.is_some() && entry.lot.is_some(), "{symbol} states no tick or lot");
    }
    let twice: Vec<_> = symbols.iter().chain(&symbols).cloned().collect();
    let found = crate::app::data::listed(&twice).unwrap();
    let found: Vec<_> = found.into_iter().map(|one| one.symbol).collect();
    assert_eq!(found, symbols);
}
