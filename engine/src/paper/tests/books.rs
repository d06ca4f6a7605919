//! Orders against books and quotes: displayed quantity, queues, crossings.

use super::*;

#[test]
fn a_taker_walks_displayed_levels_to_its_limit() {
    check(
        BOOK,
        "1 level ask 1000 5
         2 level ask 1010 2
         3 level ask 1030 9
         4 level bid 990 4
         20 buy 1 ioc 10 1020
         21 buy 2 gtc 4 1030
         22 sell 3 ioc 9 900",
        "35 ack 1
         35 fill 1 5@1000 taker
         35 fill 1 2@1010 taker
         35 expired 1 7
         36 ack 2
         36 fill 2 4@1030 taker
         36 filled 2 4
         37 ack 3
         37 fill 3 4@990 taker
         37 expired 3 4",
    );
}

#[test]
fn displayed_quantity_is_consumed_once_until_its_level_is_updated() {
    check(
        BOOK,
        "1 level ask 1000 5
         20 buy 1 ioc 3 1000
         21 buy 2 ioc 3 1000
         50 level ask 1010 5
         60 buy 3 ioc 1 1000
         80 level ask 1000 5
         90 buy 4 ioc 9 1000
         110 clear
         111 level ask 1000 5
         120 buy 5 ioc 4 1000",
        "35 ack 1
         35 fill 1 3@1000 taker
         35 filled 1 3
         36 ack 2
         36 fill 2 2@1000 taker
         36 expired 2 2
         75 ack 3
         75 expired 3 0
         105 ack 4
         105 fill 4 5@1000 taker
         105 expired 4 5
         135 ack 5
         135 fill 5 4@1000 taker
         135 filled 5 4",
    );
}

#[test]
fn a_resting_order_joins_behind_what_is_displayed() {
    // 7 ahead: 4 traded, then the level falls to 2 by cancels, then a trade of 5 leaves 3 for us.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 trade 1000 4 sell
         41 trade 1000 50 buy
         42 level bid 1000 2
         43 level bid 1000 9
         50 trade 1000 5 sell
         60 trade 1000 4 sell
         70 trade 1000 50 sell",
        "35 ack 1
         55 fill 1 3@1000 maker
         65 fill 1 4@1000 maker
         75 fill 1 2@1000 maker
         75 filled 1 9",
    );
}

#[test]
fn an_order_that_betters_the_book_has_nobody_ahead() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level bid 980 7
         3 level ask 1030 7
         20 buy 1 gtc 2 1010
         21 buy 2 gtc 2 990
         22 sell 3 gtc 5 1020
         40 trade 1010 1 sell
         41 trade 1020 3 buy
         42 trade 990 9 sell",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 1 1@1010 maker
         46 fill 3 3@1020 maker
         47 fill 1 1@1010 maker
         47 filled 1 2
         47 fill 2 2@990 maker
         47 filled 2 2",
    );
}

#[test]
fn beyond_what_is_recorded_the_queue_is_unknown_until_it_is_shown() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 2 900
         40 trade 900 50 sell
         41 level bid 900 3
         42 trade 900 4 sell",
        "35 ack 1
         47 fill 1 1@900 maker",
    );
    // A book that lost its place says nothing about queues; a side known to be empty has none.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 2 1000
         40 clear
         41 level bid 1000 5
         42 trade 1000 6 sell
         50 sell 2 gtc 2 1020
         51 sell 3 gtc 2 1010
         70 trade 1010 3 buy",
        "35 ack 1
         47 fill 1 1@1000 maker
         65 ack 2
         66 ack 3
         75 fill 3 2@1010 maker
         75 filled 3 2",
    );
}

#[test]
fn a_trade_through_the_price_fills_up_to_its_quantity_shared_by_price_then_number() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 2 gtc 4 1000
         21 buy 1 gtc 4 1000
         22 buy 3 gtc 4 990
         40 trade 980 9 sell
         50 trade 980 3 buy",
        "35 ack 2
         36 ack 1
         37 ack 3
         45 fill 1 4@1000 maker
         45 filled 1 4
         45 fill 2 4@1000 maker
         45 filled 2 4
         45 fill 3 1@990 maker",
    );
}

#[test]
fn an_update_that_crosses_our_limit_fills_up_to_what_it_shows() {
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 level ask 990 4
         41 level ask 1000 3
         42 buy 2 ioc 9 1000
         60 level ask 990 1
         61 level ask 980 50",
        "35 ack 1
         45 fill 1 4@1000 maker
         46 fill 1 3@1000 maker
         57 ack 2
         57 expired 2 0
         65 fill 1 1@1000 maker
         66 fill 1 1@1000 maker
         66 filled 1 9",
    );
    // Where the other side has been shown, nobody stands before us any more.
    check(
        BOOK,
        "1 level bid 1000 7
         2 level ask 1010 7
         20 buy 1 gtc 9 1000
         40 level ask 1000 4
         50 trade 1000 5 sell",
        "35 ack 1
         45 fill 1 4@1000 maker
         55 fill 1 5@1000 maker
         55 filled 1 9",
    );
}

#[test]
fn quotes_are_a_book_of_one_level() {
    check(
        QUOTES,
        "1 quote 1000 5 1010 5
         20 buy 1 ioc 3 1010
         21 buy 2 ioc 3 1010
         40 quote 1000 4 1010 5
         41 buy 3 ioc 3 1010
         60 quote 1000 4 1010 6
         61 buy 4 ioc 9 1010
         80 quote 1000 4 0 0
         81 buy 5 ioc 9 1010",
        "35 ack 1
         35 fill 1 3@1010 taker
         35 filled 1 3
         36 ack 2
         36 fill 2 2@1010 taker
         36 expired 2 2
         56 ack 3
         56 expired 3 0
         76 ack 4
         76 fill 4 6@1010 taker
         76 expired 4 6
         96 ack 5
         96 expired 5 0",
    );
}

#[test]
fn quotes_keep_the_queue_of_resting_orders() {
    // 1 joins behind 5, 2 is the best, 3 lies below what is shown until the touch falls to it.
    check(
        QUOTES,
        "1 quote 1000 5 1030 5
         20 buy 1 gtc 2 1000
         21 buy 2 gtc 2 1010
         22 buy 3 gtc 2 980
         40 trade 1010 2 sell
         41 trade 1000 6 sell
         42 quote 980 3 1030 5
         43 trade 980 5 sell
         50 sell 4 gtc 3 1040
         70 quote 1040 2 1050 5
         71 quote 1050 9 1060 5",
        "35 ack 1
         36 ack 2
         37 ack 3
         45 fill 2 2@1010 maker
         45 filled 2 2
         46 fill 1 1@1000 maker
         48 fill 1 1@1000 maker
         48 filled 1 2
         48 fill 3 1@980 maker
         65 ack 4
         75 fill 4 2@1040 maker
         76 fill 4 1@1040 maker
         76 filled 4 3",
    );
}

#[test]
fn a_touch_that_leaves_puts_resting_orders_first() {
    check(
        QUOTES,
        "1 quote 1000 5 1030 5
         20 buy 1 gtc 2 990
         40 quote 980 5 1030 5
         41 trade 990 1 sell
         50 buy 2 gtc 2 980
         70 quote 0 0 1030 5
         71 trade 980 2 sell",
        "35 ack 1
         46 fill 1 1@990 maker
         65 ack 2
         76 fill 1 1@990 maker
         76 filled 1 2
         76 fill 2 1@980 maker",
    );
}

#[test]
fn nothing_is_taken_from_a_book_that_the_feed_does_not_vouch_for() {
    check(
        BOOK,
        "1 level ask 1000 5
         2 state gap
         20 buy 1 ioc 3 1000
         40 state synced
         50 buy 2 ioc 3 1000",
        "35 ack 1
         35 expired 1 0
         65 ack 2
         65 fill 2 3@1000 taker
         65 filled 2 3",
    );
}

#[test]
fn levels_without_a_note_are_not_taken_from() {
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 0));
    let notes = i64::try_from(book::CONSUMED_MAX).unwrap();
    for step in 0..notes + 2 {
        rig.line(&format!("1 level ask {} 1", 1_000 + 10 * step));
    }
    rig.line(&format!("2 buy 1 ioc {} 900000", notes + 9));
    rig.line("3 level ask 1000 1");
    rig.line("3 buy 2 ioc 2 900000");
    rig.settle(i64::MAX);
    let filled = |(_, _, body): &(i64, InstrumentId, Body)| {
        if let Body::OrderDone(done) = body { Some(done.filled.0) } else { None }
    };
    let filled: Vec<i64> = rig.reports.iter().filter_map(filled).collect();
    assert_eq!(filled, [notes, 1]);
}

#[test]
fn a_post_only_order_that_would_trade_is_rejected() {
    // 1 would take at 1000; what it would take is gone when 3 arrives, so that one rests.
    check(
        BOOK,
        "1 level bid 980 5
         2 level ask 1000 5
         20 buy 1 gtc 3 1000 post_only
         21 buy 2 ioc 5 1000
         22 buy 3 gtc 3 1000 post_only
         23 buy 4 gtc 3 990 post_only
         24 sell 5 gtc 3 980 post_only
         25 sell 6 gtc 3 990 post_only
         50 trade 1000 2 sell",
        "35 POST_ONLY 1 0
         36 ack 2
         36 fill 2 5@1000 taker
         36 filled 2 5
         37 ack 3
         38 ack 4
         39 POST_ONLY 5 0
         40 ack 6
         55 fill 3 2@1000 maker",
    );
}

#[test]
fn fill_or_kill_fills_whole_or_not_at_all() {
    // 8 of 9 are there to 1010; 7 are, over two levels; then 1 is left of the second.
    check(
        BOOK,
        "1 level ask 1000 5
         2 level ask 1010 3
         3 level ask 1030 9
         20 buy 1 fok 9 1010
         21 buy 2 fok 7 1010
         22 buy 3 fok 2 1010
         23 buy 4 fok 1 1010",
        "35 ack 1
         35 expired 1 0
         36 ack 2
         36 fill 2 5@1000 taker
         36 fill 2 2@1010 taker
         36 filled 2 7
         37 ack 3
         37 expired 3 0
         38 ack 4
         38 fill 4 1@1010 taker
         38 filled 4 1",
    );
}

#[test]
fn fill_or_kill_counts_the_room_of_the_tables() {
    // One note is left, so only one of the two levels can be taken from.
    let mut rig = Rig::new(&[instrument()], &[BOOK], (0, 0));
    let notes = i64::try_from(book::CONSUMED_MAX).unwrap();
    for step in 0..=notes {
        rig.line(&format!("1 level ask {} 1", 1_000 + 10 * step));
    }
    rig.line(&format!("2 buy 1 ioc {} 900000", notes - 1));
    rig.line("3 buy 2 fok 2 900000");
    rig.line("4 buy 3 fok 1 900000");
    rig.settle(i64::MAX);
    let filled = |(_, _, body): &(i64, InstrumentId, Body)| {
        if let Body::OrderDone(done) = body { Some(done.filled.0) } else { None }
    };
    let filled: Vec<i64> = rig.reports.iter().filter_map(filled).collect();
    assert_eq!(filled, [notes - 1, 0, 1]);
}
