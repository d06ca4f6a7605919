//! Orders against what shows no depth: trades alone, and bars.

use super::*;

#[test]
fn by_trades_alone_a_taker_fills_in_the_second_after_its_arrival() {
    // 1 % of 1000 is one tick; of 1001 the price is rounded up to 1020. The limit is 1020.
    check(
        TRADES,
        "1 trade 1000 5 sell
         20 buy 1 ioc 9 1020
         29 trade 1000 5 sell
         30 trade 1000 2 sell
         40 trade 1001 3 buy
         50 trade 1020 3 buy
         60 sell 2 ioc 4 990
         71 trade 1005 4 buy
         1_000_000_029 trade 1000 1 sell
         1_000_000_030 trade 1000 9 sell
         1_000_000_069 trade 1000 2 sell
         1_000_000_070 trade 1000 9 sell",
        "35 ack 1
         45 fill 1 3@1020 taker
         75 ack 2
         76 fill 1 4@1020 taker
         1000000034 fill 1 1@1010 taker
         1000000035 fill 1 1@1010 taker
         1000000035 filled 1 9
         1000000035 fill 2 4@990 taker
         1000000035 filled 2 4",
    );
    check(
        TRADES,
        "20 buy 1 ioc 9 1010
         30 trade 1000 2 sell
         40 trade 1000 2 sell
         1_000_000_031 trade 1000 9 sell",
        "35 ack 1
         45 fill 1 2@1010 taker
         1000000035 expired 1 2",
    );
}

#[test]
fn by_trades_alone_a_limit_needs_a_trade_one_tick_through_it() {
    check(
        TRADES,
        "20 buy 1 gtc 5 1000
         21 buy 2 gtc 5 1010
         22 sell 3 gtc 5 1100
         40 trade 1000 9 sell
         41 trade 995 9 sell
         42 trade 990 2 buy
         43 trade 1110 9 buy",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 2 5@1010 maker
         45 filled 2 5
         47 fill 1 2@1000 maker
         48 fill 3 5@1100 maker
         48 filled 3 5",
    );
}

#[test]
fn at_market_orders_fill_at_the_next_bars_open_against_us_or_expire() {
    check(
        BARS,
        "60 bar 1000 1100 900 1000 500
         61 buy 1 ioc 9 1020
         62 sell 2 ioc 9 990
         63 buy 3 ioc 9 1010
         64 buy 4 ioc 90 1030
         120 bar 1001 1100 900 1000 500
         121 buy 5 ioc 9 1020
         180 bar 1001 1100 900 1000 0",
        "76 ack 1
         77 ack 2
         78 ack 3
         79 ack 4
         125 fill 4 50@1020 taker
         125 expired 4 50
         125 expired 1 0
         125 expired 3 0
         125 expired 2 0
         136 ack 5
         185 expired 5 0",
    );
    check(
        BARS,
        "61 buy 1 ioc 9 1020
         62 sell 2 ioc 9 990
         63 sell 3 ioc 9 1000
         120 bar 1001 1100 900 1000 500",
        "76 ack 1
         77 ack 2
         78 ack 3
         125 fill 1 9@1020 taker
         125 filled 1 9
         125 fill 2 9@990 taker
         125 filled 2 9
         125 expired 3 0",
    );
}

#[test]
fn limits_need_a_bar_one_tick_through_and_get_the_open_if_better() {
    check(
        BARS,
        "61 buy 1 gtc 5 1000
         62 sell 2 gtc 5 1100
         120 bar 1050 1100 1000 1050 500
         180 bar 1050 1110 991 1050 500
         240 bar 1000 1050 990 1050 40
         250 sell 3 gtc 5 1100
         300 bar 1125 1150 1100 1110 500",
        "76 ack 1
         77 ack 2
         185 fill 2 5@1100 maker
         185 filled 2 5
         245 fill 1 4@1000 taker
         265 ack 3
         305 fill 3 5@1120 taker
         305 filled 3 5",
    );
}

#[test]
fn our_fills_are_at_most_a_tenth_of_a_bars_volume_at_market_first() {
    let coarse = Instrument { lot: Qty(3), ..instrument() };
    check_on(
        coarse,
        BARS,
        "61 buy 1 gtc 12 1090
         62 buy 2 gtc 12 1100
         63 sell 3 ioc 6 900
         120 bar 1000 1100 900 1000 199
         180 bar 1000 1100 900 1000 29
         240 bar 1000 1100 900 1000 0
         300 bar 1000 1100 900 1000 999 3600
         360 bar 1000 1100 900 1000 999",
        "76 ack 1
         77 ack 2
         78 ack 3
         125 fill 3 6@990 taker
         125 filled 3 6
         125 fill 2 12@1000 taker
         125 filled 2 12
         365 fill 1 12@1000 taker
         365 filled 1 12",
    );
}

#[test]
fn without_a_book_fill_or_kill_needs_its_whole_size_at_once() {
    check(
        TRADES,
        "20 buy 1 fok 5 1010
         40 trade 1000 4 sell
         41 trade 1000 6 sell
         50 buy 2 fok 5 1010
         70 trade 1000 4 sell",
        "35 ack 1
         46 fill 1 5@1010 taker
         46 filled 1 5
         65 ack 2
         1000000065 expired 2 0",
    );
    // A tenth of the volume is 10.
    check(
        BARS,
        "20 buy 1 fok 11 1020
         21 buy 2 fok 10 1020
         60 bar 1001 1100 900 1000 100",
        "35 ack 1
         36 ack 2
         65 expired 1 0
         65 fill 2 10@1020 taker
         65 filled 2 10",
    );
}

#[test]
fn without_a_book_post_only_is_judged_by_the_last_price() {
    // The ask is assumed at 1010, half a spread above the last trade.
    check(
        TRADES,
        "1 buy 1 gtc 5 1000 post_only
         12 trade 1000 4 sell
         20 buy 2 gtc 5 1010 post_only
         21 buy 3 gtc 5 1000 post_only
         22 sell 4 gtc 5 990 post_only
         40 trade 980 9 sell",
        "16 NO_PRICE 1 0
         35 POST_ONLY 2 0
         36 ack 3
         37 POST_ONLY 4 0
         45 fill 3 5@1000 maker
         45 filled 3 5",
    );
    // A bar that opens better than the limit fills a post-only order at its limit, as a maker.
    check(
        BARS,
        "60 bar 1000 1100 900 1000 500
         61 buy 1 gtc 5 1010 post_only
         62 buy 2 gtc 5 990 post_only
         63 buy 3 gtc 5 990
         120 bar 950 960 940 950 500",
        "76 POST_ONLY 1 0
         77 ack 2
         78 ack 3
         125 fill 2 5@990 maker
         125 filled 2 5
         125 fill 3 5@950 taker
         125 filled 3 5",
    );
}
