//! Protective stops: what triggers them, what they become, and what ends them.

use super::*;
use crate::setup::paper::BarFill;

/// A book without trades.
const SILENT: Carried = Carried { trades: false, ..BOOK };

/// Fees are in the quote here, so that a fill holds what it says.
fn plain() -> Instrument {
    Instrument { fee_asset: FeeAsset::Quote, ..instrument() }
}

fn check(carries: Carried, script: &str, expected: &str) {
    check_on(plain(), carries, script, expected);
}

#[test]
fn a_trade_triggers_a_stop_which_takes_within_the_band() {
    // Half a percent below the touch of 12.00 is 11.94, on the tick 11.90: 11.80 is too far.
    check(
        BOOK,
        "1 level ask 1210 9
         2 level bid 1200 3
         3 level bid 1190 1
         4 level bid 1180 9
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         40 trade 1190 1 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         45 fill s1 3@1200 taker
         45 fill s1 1@1190 taker
         45 expired s1 4",
    );
}

#[test]
fn a_stop_gives_up_what_its_strategys_fills_hold() {
    // Of 9 that fill, 2 are of another strategy; 3 were sold again.
    check(
        BOOK,
        "1 level ask 1210 99
         2 level bid 1200 99
         20 buy 1 ioc 7 1210
         20 stop 1 1190 sell
         21 buy 2 ioc 2 1210 other
         22 sell 3 ioc 3 1200 reduces
         60 trade 1190 1 buy",
        "35 ack 1
         35 fill 1 7@1210 taker
         35 filled 1 7
         35 ack s1
         36 ack 2
         36 fill 2 2@1210 taker
         36 filled 2 2
         37 ack 3
         37 fill 3 3@1200 taker
         37 filled 3 3
         65 fill s1 4@1200 taker
         65 filled s1 4",
    );
}

#[test]
fn a_stop_ends_when_nothing_is_held_and_nothing_can_open() {
    // The first never opens a position; the second is sold again.
    check(
        BOOK,
        "1 level bid 1200 99
         2 level ask 1210 99
         20 buy 1 gtc 5 1200
         20 stop 1 1190 sell
         50 cancel 1
         100 buy 2 ioc 5 1210
         100 stop 2 1190 sell
         130 sell 3 ioc 5 1200 reduces",
        "35 ack 1
         35 ack s1
         65 cancelled 1 0
         65 cancelled s1 0
         115 ack 2
         115 fill 2 5@1210 taker
         115 filled 2 5
         115 ack s2
         145 ack 3
         145 fill 3 5@1200 taker
         145 filled 3 5
         145 cancelled s2 0",
    );
}

#[test]
fn a_stop_is_linked_with_the_exits_of_its_strategy() {
    // The resting exit ends when the stop has left nothing, one that arrives then is refused; the
    // other strategy's stays.
    check(
        BOOK,
        "1 level ask 1210 99
         2 level bid 1200 99
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         21 buy 2 ioc 5 1210 other
         40 sell 3 gtc 5 1250 exit
         41 sell 4 gtc 5 1250 exit other
         55 sell 5 gtc 5 1200 exit
         60 trade 1180 1 buy
         70 trade 1260 5 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         36 ack 2
         36 fill 2 5@1210 taker
         36 filled 2 5
         55 ack 3
         56 ack 4
         65 fill s1 5@1200 taker
         65 filled s1 5
         65 cancelled 3 0
         70 REDUCE_ONLY 5 0
         75 fill 4 5@1250 maker
         75 filled 4 5",
    );
    // An exit that fills first leaves the stop less, and in the end nothing.
    check(
        BOOK,
        "1 level ask 1210 99
         2 level bid 1200 99
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         40 sell 3 ioc 2 1200 exit
         60 sell 4 gtc 3 1250 exit
         80 trade 1260 2 buy
         90 trade 1190 1 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         55 ack 3
         55 fill 3 2@1200 taker
         55 filled 3 2
         75 ack 4
         85 fill 4 2@1250 maker
         95 fill s1 1@1200 taker
         95 filled s1 1
         95 cancelled 4 2",
    );
}

#[test]
fn a_stop_has_the_trigger_of_its_last_update_and_can_be_cancelled() {
    check(
        BOOK,
        "1 level ask 1210 99
         2 level bid 1200 99
         20 buy 1 ioc 5 1210
         20 stop 1 1150 sell
         40 move 1 1190 sell
         45 trade 1190 1 buy
         51 trade 1190 1 buy
         52 move 1 1100 sell
         100 buy 2 ioc 5 1210
         100 stop 2 1190 sell
         130 unstop 2
         131 unstop 2
         141 trade 1100 9 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         56 fill s1 5@1200 taker
         56 filled s1 5
         115 ack 2
         115 fill 2 5@1210 taker
         115 filled 2 5
         115 ack s2
         145 cancelled s2 0",
    );
}

#[test]
fn without_trades_the_touch_triggers() {
    // A short position buys back when the ask is at the trigger.
    check(
        SILENT,
        "1 level ask 1210 9
         2 level bid 1200 9
         20 sell 1 ioc 5 1200
         20 stop 1 1230 buy
         40 level ask 1220 3
         41 level ask 1210 0
         42 level ask 1230 9
         43 level ask 1220 0",
        "35 ack 1
         35 fill 1 5@1200 taker
         35 filled 1 5
         35 ack s1
         48 fill s1 5@1230 taker
         48 filled s1 5",
    );
    check(
        Carried { trades: false, ..QUOTES },
        "1 quote 1200 9 1210 9
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         40 quote 1190 3 1210 9",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         45 fill s1 3@1190 taker
         45 expired s1 3",
    );
}

#[test]
fn a_stop_waits_for_a_side_that_is_displayed() {
    check(
        BOOK,
        "1 level ask 1210 9
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         40 trade 1190 1 buy
         50 level bid 1180 9
         60 trade 1190 1 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         65 fill s1 5@1180 taker
         65 filled s1 5",
    );
}

#[test]
fn by_trades_alone_a_stop_takes_the_trades_of_the_next_second() {
    // The trade that triggers fills nothing. The band of 0.5 % around 12.00 ends at 11.90 on the
    // tick; half a spread of 1 % leaves 11.80 of a trade at 12.00 and 11.90 of one at 12.10.
    check(
        TRADES,
        "20 buy 1 ioc 5 1300
         20 stop 1 1200 sell
         40 trade 1250 9 buy
         50 trade 1200 9 buy
         60 trade 1200 9 buy
         70 trade 1210 9 buy",
        "35 ack 1
         35 ack s1
         45 fill 1 5@1270 taker
         45 filled 1 5
         75 fill s1 5@1190 taker
         75 filled s1 5",
    );
}

#[test]
fn inside_a_bar_the_stop_comes_before_the_target() {
    // Bought at 10.10. The bar reaches both: 9.50 less half a spread, floored, is 9.40.
    check(
        BARS,
        "20 buy 1 ioc 5 1030
         20 stop 1 950 sell
         60 bar 1000 1000 990 1000 500
         70 sell 2 gtc 5 1100 exit
         120 bar 1000 1200 900 1000 500",
        "35 ack 1
         35 ack s1
         65 fill 1 5@1010 taker
         65 filled 1 5
         85 ack 2
         125 fill s1 5@940 taker
         125 filled s1 5
         125 cancelled 2 0",
    );
    // A bar that opens below the stop fills it at the open: 9.00 less half a spread is 8.91.
    check(
        BARS,
        "20 buy 1 ioc 5 1030
         20 stop 1 950 sell
         60 bar 1000 1000 990 1000 500
         120 bar 900 1200 890 1000 500",
        "35 ack 1
         35 ack s1
         65 fill 1 5@1010 taker
         65 filled 1 5
         125 fill s1 5@890 taker
         125 filled s1 5",
    );
}

#[test]
fn the_bar_that_opens_a_position_can_stop_it() {
    // At the market from the open, and by a limit that the bar trades through.
    check(
        BARS,
        "20 buy 1 ioc 5 1030
         20 stop 1 950 sell
         60 bar 1000 1000 950 1000 500
         70 buy 2 gtc 5 980
         70 stop 2 950 sell
         120 bar 1000 1000 940 1000 500",
        "35 ack 1
         35 ack s1
         65 fill 1 5@1010 taker
         65 filled 1 5
         65 fill s1 5@940 taker
         65 filled s1 5
         85 ack 2
         85 ack s2
         125 fill 2 5@980 maker
         125 filled 2 5
         125 fill s2 5@940 taker
         125 filled s2 5",
    );
    // Not where orders at the market fill at the close: that is its last price.
    let constants =
        PaperSetup { bar_fill: BarFill::Close, ..PaperSetup::constant(ORDER_NS, RESPONSE_NS) };
    check_with(
        plain(),
        BARS,
        &constants,
        "20 buy 1 ioc 5 1030
         20 stop 1 950 sell
         60 bar 1000 1000 900 990 500
         120 bar 940 960 920 940 30",
        "35 ack 1
         35 ack s1
         65 fill 1 5@1000 taker
         65 filled 1 5
         125 fill s1 3@930 taker
         125 expired s1 3",
    );
}

#[test]
fn what_may_only_reduce_never_does_more() {
    // A contract: 3 is more than the 2 that are held; 4 finds 1 left after 5 took one.
    let linear = Instrument { kind: Kind::LinearPerpetual, ..plain() };
    check_on(
        linear,
        BOOK,
        "1 level ask 1210 99
         2 level bid 1200 99
         20 sell 1 gtc 2 1250 reduces
         30 buy 2 ioc 2 1210
         60 sell 3 gtc 3 1250 reduces
         61 buy 6 gtc 1 1190 reduces
         62 sell 4 gtc 2 1250 reduces
         63 sell 5 gtc 1 1240 reduces
         80 trade 1260 9 buy
         90 trade 1260 9 buy",
        "35 REDUCE_ONLY 1 0
         45 ack 2
         45 fill 2 2@1210 taker
         45 filled 2 2
         75 REDUCE_ONLY 3 0
         76 REDUCE_ONLY 6 0
         77 ack 4
         78 ack 5
         85 fill 5 1@1240 maker
         85 filled 5 1
         85 fill 4 1@1250 maker
         85 cancelled 4 1",
    );
}

#[test]
fn a_fee_in_the_base_leaves_that_much_less_to_give_up() {
    // Of 5 bought at 5 bp, 4.9975 are held: 4 whole lots. What is left is dust.
    check_on(
        instrument(),
        BOOK,
        "1 level ask 1210 9
         2 level bid 1200 9
         20 buy 1 ioc 5 1210
         20 stop 1 1190 sell
         40 trade 1190 1 buy",
        "35 ack 1
         35 fill 1 5@1210 taker
         35 filled 1 5
         35 ack s1
         45 fill s1 4@1200 taker
         45 filled s1 4",
    );
}
