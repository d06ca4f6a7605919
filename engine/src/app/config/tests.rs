//! What a configuration says, and what it may not say.

use std::path::Path;

use engine::setup::Capital;
use engine::setup::paper::{BarFill, LatencySetup, QueueSetup};

use super::checked::{Config, check};
use super::layers::Layers;
use super::print;
use crate::app::plan::RateWanted;

/// Reads a file, variables and options.
fn layers(text: &str, variables: &[(&str, &str)], options: &[&str]) -> Layers {
    let mut layers = Layers::default();
    layers.text("x.toml".to_owned(), text, Path::new("x.toml"));
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    layers.environment(variables.iter().map(own));
    for option in options {
        layers.option(option).unwrap();
    }
    layers
}

fn config(text: &str) -> Config {
    let mut layers = layers(text, &[], &[]);
    let config = check(&mut layers);
    config.unwrap_or_else(|| panic!("{text}: {:?}", layers.faults.found))
}

/// Returns the faults of a file: line, column, code and message.
fn faults(text: &str) -> Vec<(u32, u32, &'static str, String)> {
    let mut layers = layers(text, &[], &[]);
    assert!(check(&mut layers).is_none(), "nothing is wrong with {text}");
    let place = |found: &dsl::diagnostics::Diagnostic| {
        let (_, line, column) = found.place(&layers.faults.sources);
        let help = found.help.as_deref().unwrap_or_default();
        (line, column, found.code, format!("{} | {help}", found.message))
    };
    layers.faults.found.iter().map(place).collect()
}

/// A text with one fault, of this code, at the marked place, which says these words.
#[track_caller]
fn refused(marked: &str, code: &str, says: &str) {
    let at = marked.find('^').expect("a mark");
    let (before, _) = marked.split_at(at);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let found = faults(&marked.replacen('^', "", 1));
    let [(l, c, own, message)] = found.as_slice() else { panic!("{marked}: {found:?}") };
    assert_eq!((*own, *l as usize, *c as usize), (code, line, column), "{marked}: {message}");
    assert!(message.contains(says), "{marked}: `{says}` is not in `{message}`");
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_one() {
    for (marked, says) in [
        ("[^acount]\nreporting = \"USDT\"", "there is no key `acount` | do you mean `account`?"),
        ("[account]\n^reportin = \"USDT\"", "`reportin` in account | do you mean `reporting`?"),
        ("^reporting = \"USDT\"", "do you mean account.reporting?"),
        ("[journal]\n^zzz = 1", "known here: dir, sink, segment, sync"),
        ("[instrument.\"BTC_USDT\"]\n^tik = \"1\"", "do you mean `tick`?"),
        ("[journal.sink]\n^a = 1", "journal.sink has no part `a`"),
    ] {
        refused(marked, "C0102", says);
    }
}

#[test]
fn a_value_of_another_type_is_told() {
    for (marked, says) in [
        ("mode = ^1", "mode: a number where demo, backtest"),
        ("[data]\nseed = ^[1]", "data.seed: a list where a whole number"),
        ("[journal]\nsync = ^\"yes\"", "journal.sync: a text where true or false"),
        ("[topology]\ncores = ^1", "a list of processors such as [2, 3]"),
        ("[data]\nfiles = ^7", "a list of FILE or FILE=SYMBOL"),
        ("account = ^5", "account is a section, not a value | write [account]"),
        ("[data]\nseed = ^2026-01-01", "a date where"),
        ("[data]\nseed = ^0x10", "a number that is not decimal where"),
    ] {
        refused(marked, "C0103", says);
    }
}

#[test]
fn a_bare_number_is_refused_where_its_unit_is_not_plain() {
    for (marked, says) in [
        (
            "[account.paper]\norder_latency = ^2",
            "`2` has no unit: it is no duration | write \"2ms\"",
        ),
        ("[account.paper]\norder_latency = ^\"250\"", "write \"250ms\", \"250s\""),
        ("[account.paper.fees]\nmaker = ^2", "write \"2bps\" or \"2%\""),
        ("[account.paper.fees]\nmaker = ^\"0.0002\"", "has no unit: it is no share"),
        ("[journal]\nsegment = ^16", "write \"16MiB\""),
        ("[account.paper.balances]\nBTC = ^\"5 USDT\"", "of USDT where one of BTC is expected"),
    ] {
        refused(marked, "C0104", says);
    }
}

#[test]
fn what_is_out_of_range_is_told_with_the_range() {
    for (marked, says) in [
        ("[data]\nseconds = ^0", "from 1 to 86400"),
        ("[data]\nspeed = ^0", "from 1 to 1000000"),
        ("[account.paper]\norder_latency = ^\"61s\"", "is not between 0ns and 1m"),
        ("[account.paper.fees]\ntaker = ^\"5000bps\"", "is not between -1% and 10%"),
        ("[account.paper.balances]\nUSDT = ^\"-1\"", "below zero; the least is 0"),
        ("[account.paper.balances]\nUSDT = ^\"0.0000000001\"", "more than 9 decimals"),
        ("[journal]\nsegment = ^\"3MiB\"", "power of two from 1MiB to 1024MiB"),
        ("[topology]\ncores = ^[]", "no processor is named"),
        ("[topology]\ncores = ^[9999]", "this host has no processor 9999 | there are"),
        ("[rules]\npaths = ^[]", "the list is empty"),
    ] {
        refused(marked, "C0106", says);
    }
}

#[test]
fn what_cannot_be_read_is_told_with_what_can() {
    for (marked, code, says) in [
        ("mode = ^\"dmo\"", "C0107", "write \"demo\""),
        ("[topology]\nwait = ^\"sleep:501\"", "C0107", "spin, spin-yield, spin-park"),
        ("[account]\nreporting = ^\"usdt\"", "C0105", "in capitals"),
        ("[account.paper]\norder_latency = ^\"2 fortnights\"", "C0105", "units are ns, us, ms"),
        ("[account.paper.fees]\nmaker = ^\"2 permille\"", "C0105", "\"5bps\" or \"0.5%\""),
        ("[data]\nsymbols = ^[\"BTC\"]", "C0105", "is not an instrument name"),
        ("[data.settle]\n^usd = \"USDT\"", "C0105", "`usd` is no asset"),
        ("[instrument.\"BTC\"]\n^tick = \"1\"", "C0105", "is not an instrument name"),
        ("[instrument.\"BTC_USDT\"]\ntick = ^\"0\"", "C0105", "tick"),
        ("[instrument.\"BTC_USDT\"]\ntick = ^\"1,lot=5\"", "C0105", "holds a comma"),
        ("[topology]\ncores = ^[0, 0]", "C0108", "named twice"),
        ("x = ^", "C0101", "this is no TOML"),
    ] {
        refused(marked, code, says);
    }
}

#[test]
fn values_that_contradict_each_other_are_told() {
    for (marked, says) in [
        ("mode = ^\"backtest\"", "data.files is not set"),
        ("[instrument.\"BTC_USDT\"]\n^min_qty = \"2\"\nmax_qty = \"1\"", "do not go together: "),
    ] {
        refused(marked, "C0108", says);
    }
    // The manifest is a file that is there.
    let text = "mode = ^\"demo\"\n[data]\nfiles = [\"Cargo.toml\"]";
    refused(text, "C0108", "the demo generates its market");
}

#[test]
fn what_a_later_version_does_is_an_error_and_never_ignored() {
    for marked in ["mode = ^\"live\"", "mode = ^\"testnet\"", "mode = ^\"paper\""] {
        refused(marked, "C0109", "not supported by this version");
    }
}

#[test]
fn the_beginning_of_a_day_is_a_time_and_a_zone() {
    let day = |text: &str| config(text).money.day;
    assert!(day("").is_utc() && day("[account]\nday_start = \"00:00 UTC\"").is_utc());
    let own = day("[account]\nday_start = \"17:00 America/New_York\"");
    assert_eq!((own.name.as_str(), own.start_ns), ("17:00 America/New_York", 61_200_000_000_000));
    for marked in ["^\"17:00\"", "^\"25:00 UTC\"", "^\"17:00 Mars/Olympus\""] {
        refused(&format!("[account]\nday_start = {marked}"), "C0105", "write \"00:00 UTC\"");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let text = "[account]\napi_key = \"hunter2\"\n";
    let mut layers = layers(text, &[], &[]);
    assert!(check(&mut layers).is_none());
    assert_eq!(layers.faults.found[0].code, "C0110");
    assert!(!layers.faults.sources[0].text.contains("hunter2"));
    refused("mode = { ^env = \"MODE\" }", "C0102", "is the form of secrets | write the value");
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_key() {
    refused("[rules]\npaths = ^[\"no.rules\"]", "C0111", "there is no file no.rules");
    refused("[data]\nfiles = ^[\"no.csv=BTC_USDT\"]", "C0111", "there is no file no.csv");
}

#[test]
fn every_fault_is_told_at_once_in_the_order_of_the_text() {
    let text =
        "mode = 1\n[data]\nseed = \"x\"\nspeed = 0\n[jurnal]\ndir = 1\n[topology]\nwait = 2\n";
    let lines: Vec<u32> = faults(text).iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 8]);
}

#[test]
fn later_layers_count_over_earlier_ones() {
    let text = "[data]\nseed = 1\nseconds = 10\nspeed = 2\n";
    let variables = [("SLUICE__DATA__SECONDS", "20"), ("SLUICE__DATA__SPEED", "3")];
    let mut layers = layers(text, &variables, &["data.speed=4"]);
    let config = check(&mut layers).unwrap();
    assert_eq!((config.seed, config.seconds), (1, 20));
    assert_eq!(config.speed.to_string(), "4x");
    let shown: Vec<String> = print::rows(&layers).iter().map(|row| row.line(true)).collect();
    let has = |start: &str, end: &str| {
        let row = shown.iter().find(|row| row.starts_with(start)).unwrap();
        assert!(row.ends_with(end), "{row}");
    };
    has("data.seed = 1 ", "# x.toml:2:1");
    has("data.seconds = 20 ", "# SLUICE__DATA__SECONDS");
    has("data.speed = 4 ", "# --set data.speed");
    has("journal.sink = \"pwrite\" ", "# default");
    assert_eq!(layers.notes().len(), 1, "only what counts is told");
}

#[test]
fn variables_and_options_name_assets_and_instruments() {
    let options = ["instrument.\"binance:BTC_USDT.PERP\".tick=0.5", "topology.cores=[0]"];
    let variables = [
        ("SLUICE__ACCOUNT__PAPER__BALANCES__USDT", "5_000"),
        ("SLUICE_DATA_DIR", "not ours"),
        ("SLUICE__ACCOUNT__PAPER__ORDER_LATENCY", "7ms"),
    ];
    let mut layers = layers("", &variables, &options);
    let config = check(&mut layers).unwrap();
    assert_eq!(config.balances, [("USDT".to_owned(), 5_000_000_000_000)]);
    assert_eq!(config.paper.order_latency, LatencySetup::Constant { ns: 7_000_000 });
    assert_eq!(config.instruments, ["binance:BTC_USDT.PERP,tick=0.5"]);
    assert_eq!(config.cores, [0]);
    assert!(Layers::default().option("data.seed").is_err());
    assert!(Layers::default().option("data..seed=1").is_err());
}

#[test]
fn a_fault_in_a_variable_is_drawn_under_the_variable() {
    let mut layers = layers("", &[("SLUICE__DATA__SEDE", "1")], &["data.seconds=no"]);
    assert!(check(&mut layers).is_none());
    let place = |at: usize| layers.faults.found[at].place(&layers.faults.sources);
    assert_eq!(place(0), ("<environment>".to_owned(), 1, 1));
    assert_eq!(place(1), ("<--set>".to_owned(), 1, 14));
}

#[test]
fn units_are_read_as_they_are_written() {
    let config = config(
        "[account.paper]\norder_latency = \"250 us\"\n\
         balances = { USDT = \"1_000.5 USDT\", BTC = 0.05, ETH = 2 }\n\
         fees = { maker = \"-0.5bps\", taker = \"0.05%\", asset = \"quote\" }\n\
         [journal]\nsegment = \"4MiB\"\ndir = \"none\"\n",
    );
    assert_eq!(config.paper.order_latency, LatencySetup::Constant { ns: 250_000 });
    let balances: Vec<i128> = config.balances.iter().map(|(_, amount)| *amount).collect();
    assert_eq!(balances, [1_000_500_000_000, 50_000_000, 2_000_000_000]);
    let fees: Vec<&str> = config.fees.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(fees, ["-0.5bps", "0.05%", "quote"]);
    assert_eq!((config.segment_mib, config.journal.as_deref()), (4, Some("none")));
}

#[test]
fn the_default_file_says_what_holds_without_it() {
    let text = print::default_file();
    let (mut empty, mut own) = (layers("", &[], &[]), layers(&text, &[], &[]));
    assert!(check(&mut empty).is_some() && check(&mut own).is_some(), "{:?}", own.faults.found);
    assert_eq!(print::hash(&empty), print::hash(&own), "{text}");
    for key in super::keys::KEYS {
        let last = key.path.rsplit('.').next().unwrap();
        let last = if last == "<asset>" { "USDT" } else { last };
        assert!(text.contains(&format!("{last} =")), "{} is not in\n{text}", key.path);
    }
}

#[test]
fn the_hash_is_of_what_counts_and_not_of_how_it_is_stated() {
    let hash = |layers: Layers| print::hash(&layers);
    let file = hash(layers("[data]\nseed = 7\n", &[], &[]));
    assert_eq!(file, hash(layers("", &[("SLUICE__DATA__SEED", "7")], &[])));
    assert_eq!(file, hash(layers("data.seed=8", &[], &["data.seed=7"])));
    assert_ne!(file, hash(layers("", &[], &[])));
}

#[test]
fn the_schema_has_every_key() {
    let schema = print::schema();
    assert_eq!(schema["properties"]["data"]["properties"]["seconds"]["maximum"], 86_400);
    let journal = &schema["properties"]["journal"];
    assert_eq!(journal["additionalProperties"], false);
    assert_eq!(journal["properties"]["sink"]["enum"][1], "mmap");
    let instrument = &schema["properties"]["instrument"]["additionalProperties"];
    assert!(instrument["properties"]["tick"].is_object(), "{instrument}");
    let balances =
        &schema["properties"]["account"]["properties"]["paper"]["properties"]["balances"];
    assert!(balances["additionalProperties"]["type"].is_array(), "{balances}");
    // A latency is a duration, or a table.
    let latency = &schema["properties"]["account"]["properties"]["paper"]["properties"];
    let latency = &latency["order_latency"];
    assert_eq!(latency["type"], serde_json::json!(["string", "object"]), "{latency}");
    assert!(latency["properties"]["histogram"].is_object(), "{latency}");
    let rate = &schema["properties"]["rates"]["additionalProperties"]["properties"];
    assert!(rate["via"].is_object() && rate["fixed"].is_object(), "{rate}");
}

#[test]
fn money_is_read_as_a_whole() {
    let config = config(
        "[account]\nmax_rate_age = \"5s\"\n\
         [account.paper]\nbalances = { USDT = \"1_000\", BTC = \"0.5\" }\n\
         protect = { BTC = \"0.05\" }\nqueue = \"prob\"\nbar_fill = \"close\"\n\
         [rates]\nUSD = { via = \"kraken:USDT_USD\" }\nUSDC = { fixed = \"1.0005\" }\n\
         [strategy.a]\ncapital = \"5_000 USDT\"\n[strategy.b]\ncapital = \"12.5%\"\n",
    );
    let money = &config.money;
    assert_eq!(money.rate_age_max_ns, 5_000_000_000);
    assert_eq!(money.protect, [("BTC".to_owned(), 50_000_000)]);
    let rates: Vec<(&str, String)> = money
        .rates
        .iter()
        .map(|(asset, rate)| match rate {
            RateWanted::Via(symbol) => (asset.as_str(), symbol.to_string()),
            RateWanted::Fixed(rate) => (asset.as_str(), rate.to_string()),
        })
        .collect();
    let expected = [("USD", "kraken:USDT_USD"), ("USDC", "1000500000")];
    assert_eq!(rates, expected.map(|(asset, rate)| (asset, rate.to_owned())));
    let capitals: Vec<(&str, Capital)> =
        money.capitals.iter().map(|one| (one.strategy.as_str(), one.capital)).collect();
    let expected = [("a", Capital::Amount(5_000_000_000_000)), ("b", Capital::Share(125_000_000))];
    assert_eq!(capitals, expected);
    assert_eq!((config.paper.queue, config.paper.bar_fill), (QueueSetup::Prob, BarFill::Close));
    let plain = self::config("");
    assert_eq!(plain.money.rate_age_max_ns, engine::setup::RATE_AGE_MAX_NS);
    assert_eq!((plain.paper.queue, plain.paper.bar_fill), (QueueSetup::Trades, BarFill::Open));
}

#[test]
fn money_that_contradicts_itself_is_told() {
    for (marked, code, says) in [
        ("[rates]\nUSDT = { ^fixed = \"1\" }", "C0108", "of which one is worth one"),
        (
            "[rates.USD]\n^fixed = \"1\"\nvia = \"kraken:USDT_USD\"",
            "C0108",
            "is said to be fixed, and to be a mark",
        ),
        ("[rates]\nUSD = { fixed = ^\"0\" }", "C0106", "it is above 0"),
        ("[rates]\nUSD = { via = ^\"USD\" }", "C0105", "is not an instrument name"),
        ("[rates]\nusd = { ^fixed = \"1\" }", "C0105", "`usd` is no asset"),
        ("[strategy.a]\ncapital = ^5_000", "C0104", "it is no capital"),
        ("[strategy.a]\ncapital = ^\"1 BTC\"", "C0104", "the session counts in USDT"),
        (
            "[strategy.a]\ncapital = \"60%\"\n[strategy.b]\ncapital = ^\"60%\"",
            "C0108",
            "allocated 120 % | allocate 100 % at most",
        ),
        ("[account.paper.protect]\nBTC = ^\"1\"", "C0108", "an account opens with 0 |"),
        ("[account.paper.protect]\nUSDT = ^\"10_001\"", "C0108", "opens with 10000 |"),
        ("[account.paper.order_latency]\n^seed = 1", "C0108", "nothing is drawn without"),
        (
            "[account.paper]\norder_latency = { histogram = ^\"no.hist\" }",
            "C0111",
            "there is no file no.hist",
        ),
        // The manifest is a file that is there, and no histogram.
        (
            "[account.paper]\norder_latency = { histogram = ^\"Cargo.toml\" }",
            "C0105",
            "Cargo.toml:1: not two",
        ),
        ("[account.paper]\nqueue = ^\"power\"", "C0107", "none of trades, prob"),
    ] {
        refused(marked, code, says);
    }
}

/// A table in place of a duration: the default of the duration counts no more, and is not shown.
#[test]
fn a_drawn_latency_stands_in_place_of_its_default() {
    let text = "[account.paper]\norder_latency = { histogram = \"x.hist\", seed = 3 }\n";
    let layers = layers(text, &[], &[]);
    let shown: Vec<String> = print::rows(&layers).iter().map(|row| row.line(false)).collect();
    let of = |name: &str| shown.iter().filter(|line| line.contains(name)).count();
    assert_eq!(of("order_latency ="), 0, "{shown:?}");
    assert_eq!(of("order_latency.histogram ="), 1, "{shown:?}");
    assert_eq!(of("response_latency = \"2ms\""), 1, "{shown:?}");
}
