//! The one table of keys: what each means, what it may be, and what holds where nothing is said.
//!
//! Reading, checking, the default file, the schema and the messages are all made from it.

use super::kind::Kind;

/// A key of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its parts, joined by dots; a part in angle brackets stands for any name of that sort.
    pub(super) path: &'static str,
    /// What its value may be.
    pub(super) kind: Kind,
    /// What holds where nothing is said, as it would be written; none where there is nothing.
    pub(super) default: Option<&'static str>,
    /// What it means, and what no value at all means.
    pub(super) meaning: &'static str,
}

/// What a section is for, in the order of the default file.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("", "What the session is for."),
    ("data", "Where the market comes from."),
    ("account", "How money is counted."),
    ("account.paper", "The simulated venue and the accounts there."),
    ("account.paper.balances", "Opening balances of each account, by asset."),
    ("account.paper.protect", "What is never sold, and counts in no figure, by asset."),
    ("account.paper.fees", "Fees of all instruments, unless an instrument states its own."),
    ("rates", "What one unit of another asset is worth in the reporting asset."),
    ("strategy.<strategy>", "A strategy's share of the equity."),
    ("instrument.<symbol>", "Facts of an instrument, over those of the table."),
    ("rules", "Strategies and limits."),
    ("journal", "Where and how everything is written down."),
    ("topology", "What runs where."),
    ("latency", "What is measured of the session itself; no decision depends on it."),
];

/// LIMIT: longest simulated latency; more is no venue.
const LATENCY_NS_MAX: i64 = 60_000_000_000;
/// LIMIT: a rate that is older than a day is none.
const RATE_AGE_NS_MAX: i64 = 86_400_000_000_000;
/// LIMIT: fees as rates, as the facts of instruments have it: -1 % to 10 %.
const FEES: (i64, i64) = (-10_000_000, 100_000_000);

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Key {
    Key { path, kind, default, meaning }
}

const fn fact(path: &'static str, meaning: &'static str) -> Key {
    key(path, Kind::Fact, None, meaning)
}

const LATENCY: Kind = Kind::Duration { least_ns: 0, most_ns: LATENCY_NS_MAX };
const FEE: Kind = Kind::Share { least: FEES.0, most: FEES.1 };

/// All keys, by section.
pub(super) const KEYS: &[Key] = &[
    key(
        "mode",
        Kind::Choice(&["demo", "backtest", "paper", "testnet", "live"]),
        None,
        "demo: the generated market; backtest: recorded files. Not set: by data.files",
    ),
    key("data.files", Kind::Files, None, "recorded files, FILE or FILE=SYMBOL, or one journal"),
    key("data.symbols", Kind::Symbols, None, "what may be traded; not set: all the rules name"),
    key("data.instruments", Kind::Path, None, "a table of instruments beside the embedded one"),
    key("data.settle.<asset>", Kind::Asset, None, "the asset that this one is counted as"),
    key(
        "data.seed",
        Kind::Count { least: 0, most: u64::MAX },
        Some("1"),
        "seed of the generated market, and of everything that is drawn",
    ),
    key(
        "data.seconds",
        Kind::Count { least: 1, most: 86_400 },
        Some("1_800"),
        "length of the generated market",
    ),
    key(
        "data.speed",
        Kind::Speed,
        Some("\"real\""),
        "pace of the data: real, so many times as fast, or max for no waiting at all",
    ),
    key(
        "account.reporting",
        Kind::Asset,
        Some("\"USDT\""),
        "the one asset that equity and limits are counted in",
    ),
    key(
        "account.day_start",
        Kind::DayStart,
        Some("\"00:00 UTC\""),
        "when a trading day begins; it is named by the date on which it does",
    ),
    key(
        "account.max_rate_age",
        Kind::Duration { least_ns: 1_000_000, most_ns: RATE_AGE_NS_MAX },
        Some("\"60s\""),
        "how long a rate outlives its source; of bars it is two of their lengths",
    ),
    key(
        "account.paper.kind",
        Kind::Choice(&["cash", "linear"]),
        None,
        "cash for spot, linear for perpetuals; not set: what the traded instruments need",
    ),
    key(
        "account.paper.order_latency",
        LATENCY,
        Some("\"2ms\""),
        "from a decision to its arrival at the simulated venue",
    ),
    key(
        "account.paper.order_latency.histogram",
        Kind::Path,
        None,
        "a file to draw it from, whose lines have nanoseconds and a count, in place of a duration",
    ),
    key(
        "account.paper.order_latency.seed",
        Kind::Count { least: 0, most: u64::MAX },
        None,
        "seed of what is drawn; not set: data.seed",
    ),
    key(
        "account.paper.response_latency",
        LATENCY,
        Some("\"2ms\""),
        "from the simulated venue's act to our record of it",
    ),
    key(
        "account.paper.response_latency.histogram",
        Kind::Path,
        None,
        "a file to draw it from, whose lines have nanoseconds and a count, in place of a duration",
    ),
    key(
        "account.paper.response_latency.seed",
        Kind::Count { least: 0, most: u64::MAX },
        None,
        "seed of what is drawn; not set: data.seed",
    ),
    key(
        "account.paper.queue",
        Kind::Choice(&["trades", "prob"]),
        Some("\"trades\""),
        "what moves a resting order forward: trades, and cancels only when the level falls below \
         what is ahead; or the power model of cancels too",
    ),
    key(
        "account.paper.bar_fill",
        Kind::Choice(&["open", "close"]),
        Some("\"open\""),
        "where the data has bars only: at which price of the next bar orders at the market fill",
    ),
    key(
        "account.paper.balances.<asset>",
        Kind::Amount,
        None,
        "opening balance; nothing set: 10_000 of the reporting asset",
    ),
    key(
        "account.paper.protect.<asset>",
        Kind::Amount,
        None,
        "what of the opening balance is never sold, and is in no position, exposure or equity",
    ),
    key("account.paper.fees.maker", FEE, None, "of what rested; below zero it is paid to us"),
    key("account.paper.fees.taker", FEE, None, "of what took"),
    key(
        "account.paper.fees.asset",
        Kind::FeeAsset,
        None,
        "what it is paid in; not set: received on spot, quote on perpetuals. An asset of its own \
         while it suffices",
    ),
    key(
        "account.paper.fees.tiers",
        Kind::Tiers,
        None,
        "lower fees of a day, by the volume of the 30 days before it, in the quote asset",
    ),
    key(
        "rates.<asset>.via",
        Kind::Symbol,
        None,
        "the instrument whose mark is the rate, turned round where the asset is its quote",
    ),
    key("rates.<asset>.fixed", Kind::Rate, None, "a rate that never changes, and is printed"),
    key(
        "strategy.<strategy>.capital",
        Kind::Capital,
        None,
        "an amount, or a share of the equity at the start; not set: an equal part of what is left",
    ),
    fact("instrument.<symbol>.tick", "price step, \"0.1\""),
    fact("instrument.<symbol>.lot", "quantity step, \"0.001\""),
    fact("instrument.<symbol>.price_decimals", "decimals of prices, where data is finer"),
    fact("instrument.<symbol>.qty_decimals", "decimals of quantities, where data is finer"),
    fact("instrument.<symbol>.min_qty", "smallest order quantity; not set: one lot"),
    fact("instrument.<symbol>.max_qty", "largest order quantity"),
    fact("instrument.<symbol>.min_notional", "smallest order value in the quote asset"),
    fact("instrument.<symbol>.fee_maker", "fee of what rested, \"2bps\""),
    fact("instrument.<symbol>.fee_taker", "fee of what took, \"5bps\""),
    fact("instrument.<symbol>.fee_asset", "received, quote, or asset:BNB"),
    fact("instrument.<symbol>.fee_decimals", "decimals to which the venue rounds fees up, \"8\""),
    fact("instrument.<symbol>.mark", "mid, or liquidation: longs at the bid, shorts at the ask"),
    fact("instrument.<symbol>.protect", "how far an at_market order may go, \"50bps\""),
    fact("instrument.<symbol>.flatten_band", "how far exits at level 3 may go, \"2%\""),
    fact("instrument.<symbol>.half_spread", "half spread assumed where data has none, \"1bps\""),
    fact("instrument.<symbol>.max_mark_spread", "widest spread whose middle is a mark, \"1%\""),
    fact("instrument.<symbol>.max_mark_age", "how long a mark outlives its source, \"10s\""),
    fact("instrument.<symbol>.max_leverage", "largest leverage of a perpetual, \"3\""),
    fact("instrument.<symbol>.maintenance_rate", "maintenance margin of a perpetual, \"0.5%\""),
    fact("instrument.<symbol>.settle", "settlement asset"),
    fact("instrument.<symbol>.venue_symbol", "the venue's own name"),
    key("rules.paths", Kind::Paths, None, "files of rules; not set: the shipped ones"),
    key(
        "journal.dir",
        Kind::Path,
        None,
        "an empty folder, or none for no journal; not set: a new one below the data folder",
    ),
    key(
        "journal.sink",
        Kind::Choice(&["pwrite", "mmap"]),
        Some("\"pwrite\""),
        "how it reaches the disk: by system calls, or by stores into a mapping",
    ),
    key("journal.segment", Kind::Segment, Some("\"16MiB\""), "size of a segment, a power of two"),
    key(
        "journal.sync",
        Kind::Flag,
        Some("false"),
        "whether finished segments are synced: without it a power cut may take the newest ones",
    ),
    key(
        "topology.layout",
        Kind::Choice(&["auto", "split", "fused"]),
        Some("\"auto\""),
        "one thread a stage (split), one for all (fused), or by the host",
    ),
    key(
        "topology.wait",
        Kind::Wait,
        None,
        "how stage threads wait: spin, spin-yield, spin-park or sleep:N microseconds; not set: by \
         the host",
    ),
    key(
        "latency.measure",
        Kind::Choice(&["sampled", "whole", "off"]),
        Some("\"sampled\""),
        "orders and a sample of the other ticks, every tick, or nothing",
    ),
    key("latency.log", Kind::Path, None, "a new file for the HDR histograms of each second"),
    key("topology.cores", Kind::Cores, None, "processors to use, in order; not set: all there are"),
];

/// Tells whether a part of a path stands for any name.
pub(super) fn is_open(part: &str) -> bool {
    part.starts_with('<')
}

/// Returns the key that a path fits.
pub(super) fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        let mut parts = key.path.split('.');
        let fits = path.iter().all(|own| parts.next().is_some_and(|p| is_open(p) || p == own));
        fits && parts.next().is_none()
    })
}

/// Returns what may stand behind a path: the next parts of all keys that begin with it.
pub(super) fn below(path: &[String]) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let mut parts = key.path.split('.');
        let fits = path.iter().all(|own| parts.next().is_some_and(|p| is_open(p) || p == own));
        if let (true, Some(next)) = (fits, parts.next())
            && !found.contains(&next)
        {
            found.push(next);
        }
    }
    found
}
