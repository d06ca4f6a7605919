//! What blocks remember: states, windows, cooldowns, throttles, warnings.

use model::codec::{ImageReader, ImageWriter};
use model::event::Alert;
use model::order::{AlertReason, DoneReason};

use super::*;

impl Desk {
    fn at(rules: &str) -> Self {
        let mut desk = Self::new(rules, 100_000);
        desk.quote(350_000);
        desk
    }

    /// Buys and sells one lot of ten, the second time at a price.
    fn round_trip(&mut self, sold_at: i64) {
        assert!(matches!(self.ask(Side::Buy, 10, 350_001), Said::Yes(..)));
        self.filled(Side::Buy, 10, 350_001);
        assert!(matches!(self.ask(Side::Sell, 10, 340_000), Said::Yes(..)));
        self.filled(Side::Sell, 10, sold_at);
    }

    fn cancelled(&mut self) {
        let order = OrderNo::new(Seq(self.seq), 0);
        let (filled, code) = (Qty(0), Code::NONE);
        self.send(&OrderDone { order, filled, code, reason: DoneReason::Cancelled });
    }

    fn alerts(&self) -> Vec<(String, AlertReason, Cause)> {
        let alerts = self.out.events().iter().filter_map(|event| match event.body() {
            Body::Alert(Alert { code, reason, cause, .. }) => Some((code, reason, cause)),
            _ => None,
        });
        alerts.map(|(code, reason, cause)| (self.rules.code_name(code), reason, cause)).collect()
    }

    fn image(&self) -> Vec<u8> {
        let mut out = ImageWriter::default();
        self.risk.save(&mut out);
        out.finish()
    }
}

const STREAK: &str = "risk r soft { applies to all
    state streak : int = 0 reset daily
    update streak = streak + 1 on closed when closed.pnl < 0 USDT
    update streak = 0 on closed when closed.pnl >= 0 USDT
    update streak = 0 on latch STREAK ends
    reduce_only STREAK for 1h when streak >= 2 }";

#[test]
fn losing_round_trips_stop_entries_for_an_hour_and_then_count_anew() {
    let mut desk = Desk::at(STREAK);
    desk.round_trip(349_000);
    desk.round_trip(351_000);
    desk.round_trip(349_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""), "a win lies between");
    desk.filled(Side::Buy, 10, 350_001);
    assert_eq!(desk.ask(Side::Sell, 10, 340_000), yes(10, ""));
    let order = OrderNo::new(Seq(desk.seq), 0);
    desk.send(&fill(order, Side::Sell, 10, 349_000));
    assert_eq!(desk.latches(), [("STREAK".to_owned(), LatchState::Armed)]);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("STREAK"));
    desk.second += 3_599;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("STREAK"));
    desk.second += 1;
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [("STREAK".to_owned(), LatchState::Ended)]);
    desk.round_trip(349_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""), "one loss since");
    desk.cancelled();
    desk.round_trip(349_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("STREAK"), "armed by a new edge");
}

#[test]
fn a_condition_that_its_own_end_does_not_clear_arms_again() {
    let rules = "risk r soft { applies to all
        state n : int = 0
        update n = n + 3 on order
        update n = n - 1 on latch L ends
        reduce_only L for 1h when n >= 2 }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.latches(), [("L".to_owned(), LatchState::Armed)], "by the order's approval");
    desk.second += 3_600;
    desk.send(&Timer::default());
    let ended_and_armed =
        [LatchState::Ended, LatchState::Armed].map(|state| ("L".to_owned(), state));
    assert_eq!(desk.latches(), ended_and_armed);
}

#[test]
fn states_of_the_day_fall_back_at_its_roll() {
    let mut desk = Desk::at(STREAK);
    desk.round_trip(349_000);
    desk.send(&DayRoll { date: Date(20_000) });
    desk.round_trip(349_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
}

#[test]
fn a_cooldown_lasts_its_length_for_its_key() {
    let rules = "risk r soft { applies to all
        cooldown REST 30s after fill by symbol when fill.opens unless order.reduces }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_001);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("REST"));
    assert_eq!(desk.ask(Side::Sell, 10, 349_999), yes(10, ""), "an exit is exempt");
    desk.filled(Side::Sell, 10, 349_999);
    desk.second += 29;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("REST"));
    desk.id = ETH;
    desk.quote(20_000);
    assert_eq!(desk.ask(Side::Buy, 100, 20_001), yes(100, ""), "another symbol");
    desk.id = BTC;
    desk.second += 1;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""), "the closing fill began none");
}

#[test]
fn a_throttle_counts_only_what_passed_everything() {
    let rules = "risk r soft { applies to all
        deny SELLS when not order.is_buy unless order.reduces
        throttle RATE orders to 2 per 10s unless order.reduces
        throttle DAY orders to 4 per day unless order.reduces }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.ask(Side::Sell, 10, 349_999), no("SELLS"));
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("RATE"));
    desk.second += 9;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("RATE"));
    desk.second += 2;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_001);
    assert_eq!(desk.ask(Side::Sell, 10, 349_999), yes(10, ""), "an exit counts and is exempt");
    desk.cancelled();
    desk.second += 20;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("DAY"));
    desk.send(&DayRoll { date: Date(20_000) });
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
}

#[test]
fn a_burst_is_taken_at_once_and_comes_back_evenly_and_cancels_are_messages() {
    let rules = "risk r soft { applies to all
        throttle RATE messages to 1 per 1s burst 3 unless order.reduces }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    desk.cancelled();
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("RATE"), "two orders and a cancel");
    desk.second += 1;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("RATE"));
    desk.second += 3;
    for _ in 0..3 {
        assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    }
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("RATE"), "never more than the burst");
}

#[test]
fn repeated_fills_latch_their_throttle_until_a_person_comes() {
    let rules = "risk r soft { applies to all
        throttle REPEAT fills to 2 per 1s until manual unless order.reduces
        throttle PAUSE fills to 2 per 1s for 1m unless order.reduces }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_001);
    assert_eq!(desk.ask(Side::Sell, 10, 349_999), yes(10, ""));
    let order = OrderNo::new(Seq(desk.seq), 0);
    desk.send(&fill(order, Side::Sell, 10, 349_999));
    let armed = |code: &str| (code.to_owned(), LatchState::Armed);
    assert_eq!(desk.latches(), [armed("REPEAT"), armed("PAUSE")]);
    desk.second += 60;
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [("PAUSE".to_owned(), LatchState::Ended)]);
    desk.second += 100_000;
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("REPEAT"));
}

#[test]
fn windows_refuse_repeats_and_too_much_in_a_time() {
    let rules = "risk r soft { applies to all
        deny SAME when count(orders.same, 500ms) > 0 unless order.reduces
        deny MUCH when sum(orders.value, 1m) > 800 USDT unless order.reduces }";
    let mut desk = Desk::at(rules);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("SAME"));
    assert_eq!(desk.ask(Side::Buy, 11, 350_001), yes(11, ""), "another quantity");
    assert_eq!(desk.ask(Side::Buy, 12, 350_001), yes(12, ""), "735 until now");
    desk.second += 1;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), no("MUCH"), "1,155 until now");
    desk.second += 70;
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
}

#[test]
fn a_warning_tells_once_an_edge_and_never_refuses() {
    let rules = "risk r soft { applies to all
        warn WIDE when market.spread > 1% }";
    let mut desk = Desk::new(rules, 10_000);
    desk.send(&DayRoll::default());
    let warned = |cause| [("WIDE".to_owned(), AlertReason::Warn, cause)];
    let both = [warned(Cause::Missing), warned(Cause::Missing)].concat();
    assert_eq!(desk.alerts(), both, "what is not known is worth a warning, on each instrument");
    desk.quote(350_000);
    desk.quote_wide(350_000, 4_000);
    assert_eq!(desk.alerts(), warned(Cause::Known));
    assert!(desk.latches().is_empty());
    desk.quote_wide(350_000, 4_001);
    assert!(desk.alerts().is_empty());
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), yes(10, ""));
}

#[test]
fn a_flattening_latch_says_that_positions_are_left() {
    let rules = "risk r soft { applies to all
        halt DOWN until manual when market.last > 0 ticks or market.spread > 1%
            then flatten }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    desk.quote_wide(350_000, 4_000);
    assert_eq!(desk.alerts(), [("DOWN".to_owned(), AlertReason::Flatten, Cause::Known)]);
    let cancels = |event: &Event| matches!(event.body(), Body::CancelAll(_));
    assert!(desk.out.events().iter().any(cancels));
}

#[test]
fn an_order_without_a_stop_has_no_known_risk() {
    let rules = "risk r soft { applies to all
        cap LOSS risk to 50 USDT unless order.reduces }";
    let mut desk = Desk::at(rules);
    let unknown = Said::No("LOSS".to_owned(), Cause::Missing);
    assert_eq!(desk.ask(Side::Buy, 10, 350_001), unknown);
}

/// Everything that is remembered, in one block.
const ALL: &str = "state n : int = 0 reset daily
    state paid : money = 0 USDT
    state best : price = na
    update n = n + 1 on order
    update paid = paid + (fill.fee ?? 0 USDT) on fill
    update best = max(best ?? fill.price, fill.price) on fill
    reduce_only MANY for 5s when n >= 7
    cap HALF qty to 20 lots - 1 lots * n
    deny SAME when count(orders.same, 2s) > 0 unless order.reduces
    deny LOSERS when count(closed where closed.pnl < 0 USDT, 10s) > 1 unless order.reduces
    deny LOST when sum(last(closed, 3).pnl) < -9_000 USDT unless order.reduces
    deny HIGH when order.price > (best ?? order.price) + 500 ticks
    cooldown REST 2s after closed by side when closed.pnl < 0 USDT unless order.reduces
    throttle RATE orders to 3 per 4s by symbol unless order.reduces
    throttle BURST messages to 1 per 1s burst 2 unless order.reduces
    throttle FILLS fills to 5 per 6s for 4s unless order.reduces
    warn NEAR when n > 5";

/// Lets pseudo-random orders come, be filled and cancelled; returns what was said.
fn stir(desk: &mut Desk, seed: u64, steps: usize) -> Vec<String> {
    let mut state = seed | 1;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut said = Vec::new();
    for _ in 0..steps {
        let side = if draw(2) == 0 { Side::Buy } else { Side::Sell };
        let qty = i64::try_from(draw(3)).unwrap() + 10;
        let price = 350_000 + i64::try_from(draw(5)).unwrap() * 200;
        let answer = desk.ask(side, qty, price);
        if let Said::Yes(qty, _) = answer {
            match draw(3) {
                0 => desk.cancelled(),
                _ => desk.filled(side, qty, price),
            }
        }
        said.push(format!("{answer:?} {:?}", desk.latches()));
        desk.second += i64::try_from(draw(3)).unwrap();
        if draw(40) == 0 {
            desk.send(&DayRoll { date: Date(20_000) });
        }
        desk.send(&Timer::default());
    }
    said
}

#[test]
fn a_saved_stage_goes_on_as_the_one_it_was_saved_from() {
    let rules = format!("risk r soft {{ applies to all {ALL} }}");
    let mut desk = Desk::at(&rules);
    let mut all = stir(&mut desk, 7, 300);
    let image = desk.image();
    let mut copy = Desk::at(&rules);
    let mut from = ImageReader::new(&image);
    copy.risk.load(&mut from).unwrap();
    from.finish().unwrap();
    (copy.seq, copy.second) = (desk.seq, desk.second);
    assert_eq!(copy.image(), image);
    let said = stir(&mut desk, 8, 300);
    assert_eq!(stir(&mut copy, 8, 300), said);
    assert_eq!(copy.image(), desk.image());
    all.extend(said);
    for code in ["MANY", "SAME", "LOSERS", "REST", "RATE", "BURST", "HALF"] {
        assert!(all.iter().any(|line| line.contains(code)), "{code} never spoke");
    }
}

#[test]
fn the_order_of_rules_changes_no_verdict() {
    let lines: Vec<String> = ALL.lines().map(|line| line.trim().to_owned()).collect();
    // States stand above what reads them; all else may stand anywhere.
    let (states, rest): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.starts_with("state"));
    let text = |rules: &[&String]| {
        let mut text = "risk r soft { applies to all\n".to_owned();
        for line in states.iter().chain(rules) {
            text.push_str(line);
            text.push('\n');
        }
        text + "}"
    };
    let verdicts = |rules: &[&String]| -> Vec<String> {
        let mut desk = Desk::at(&text(rules));
        let said = stir(&mut desk, 11, 200);
        // Which of several codes is shown is by place; whether and how much is not.
        said.iter().map(|line| line.split('"').next().unwrap().to_owned()).collect()
    };
    let straight = verdicts(&rest);
    let mut turned = rest.clone();
    for _ in 0..4 {
        turned.rotate_left(3);
        turned.swap(0, 5);
        assert_eq!(verdicts(&turned), straight);
    }
}
