//! Verdicts and latches on small rule texts: precedence, caps, unknowns, edges and ends.

use model::event::{
    AccountOpened, BadInput, BalanceChanged, CashFlow, DayRoll, FeedState, Fill, Funding,
    LatchChanged, OrderDone, Quote, SessionStart, Signal, Timer,
};
use model::id::{AccountId, AssetId, OrderNo, Seq, StrategyId};
use model::instrument::Kind;
use model::num::{Price, Qty, Rate};
use model::order::{
    Cause, FeedStatus, FlowReason, InputFault, LatchState, Liquidity, Side, TimeInForce, Verdict,
};
use model::reject::{Code, Reject};
use model::time::{Date, SECOND_NS};

use super::*;

mod cleared;
mod remembered;

use crate::testing::{bound, demo_setup};

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);

fn fill(order: OrderNo, side: Side, qty: i64, price: i64) -> Fill {
    let (qty, price, liquidity) = (Qty(qty), Price(price), Liquidity::Taker);
    Fill { order, price, qty, fee: 0, trade: 1, fee_asset: AssetId(0), side, liquidity }
}

/// The risk stage under some rules, with what it put out last.
struct Desk {
    risk: Risk,
    rules: Bound,
    seq: u64,
    second: i64,
    /// Whose events and orders come next.
    id: InstrumentId,
    out: Out,
}

/// A verdict as a row: approved quantity, or the code that refused.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Yes(i64, String),
    No(String, Cause),
}

impl Desk {
    fn new(rules: &str, equity: i64) -> Self {
        Self::on(Kind::LinearPerpetual, rules, equity)
    }

    fn on(kind: Kind, rules: &str, equity: i64) -> Self {
        let strategy = "strategy s { on trade of BTC_USDT.PERP
            enter long E when true size 1 lots at_market }";
        let (setup, facts) = demo_setup(kind, |_| {});
        let bound = bound(&format!("{rules}\n{strategy}"), &setup, &facts);
        let risk = Risk::new(&setup, &facts, &bound);
        let mut desk = Self { risk, rules: bound, seq: 0, second: 1_000, id: BTC, out: Out::new() };
        let opened = AccountOpened {
            total: Money::units(equity),
            account: AccountId(0),
            asset: AssetId(0),
            kind: setup.accounts[0].kind(),
        };
        desk.send(&SessionStart::default());
        desk.send(&opened);
        desk
    }

    fn send<P: Payload>(&mut self, payload: &P) {
        self.seq += 1;
        let ts = Nanos(self.second * SECOND_NS);
        let event = Event::new(Seq(self.seq), ts, self.id, payload);
        self.out.clear();
        self.risk.step(&event, &mut self.out);
    }

    /// Quotes a touch of 0.2 around a middle, prices in tenths.
    fn quote(&mut self, middle: i64) {
        self.quote_wide(middle, 1);
    }

    /// Quotes a touch of twice `half` around a middle.
    fn quote_wide(&mut self, middle: i64, half: i64) {
        self.send(&FeedState { status: FeedStatus::Synced, ..FeedState::default() });
        let (bid, ask) = (Price(middle - half), Price(middle + half));
        let (bid_qty, ask_qty) = (Qty(9_000), Qty(9_000));
        self.send(&Quote { bid, ask, bid_qty, ask_qty, update_id: 0 });
    }

    /// Asks for an order; quantities in lots of 0.001, prices in tenths.
    fn ask(&mut self, side: Side, qty: i64, price: i64) -> Said {
        self.send(&Signal {
            price: Price(price),
            qty: Qty(qty),
            ttl_ns: 0,
            strategy: StrategyId(0),
            rule: 0,
            ordinal: 0,
            action: Action::Enter,
            side,
            tif: TimeInForce::Gtc,
            priced: true,
            protected: false,
            post_only: false,
        });
        let decision = self.out.events().iter().find_map(|event| match event.body() {
            Body::Decision(decision) => Some(decision),
            _ => None,
        });
        let decision = decision.expect("a verdict");
        let code = self.rules.code_name(decision.code);
        match decision.verdict {
            Verdict::Approve => Said::Yes(decision.qty.0, code),
            Verdict::Deny => Said::No(code, decision.cause),
        }
    }

    /// Fills the order just approved and ends it.
    fn filled(&mut self, side: Side, qty: i64, price: i64) {
        let order = OrderNo::new(Seq(self.seq), 0);
        self.send(&fill(order, side, qty, price));
        let filled = Qty(qty);
        self.send(&OrderDone {
            order,
            filled,
            code: Code::NONE,
            reason: model::order::DoneReason::Filled,
        });
    }

    fn latches(&self) -> Vec<(String, LatchState)> {
        let changed = self.out.events().iter().filter_map(|event| match event.body() {
            Body::LatchChanged(LatchChanged { code, state, .. }) => Some((code, state)),
            _ => None,
        });
        changed.map(|(code, state)| (self.rules.code_name(code), state)).collect()
    }
}

fn yes(qty: i64, code: &str) -> Said {
    Said::Yes(qty, code.to_owned())
}

fn no(code: &str) -> Said {
    Said::No(code.to_owned(), Cause::Known)
}

#[test]
fn an_oversize_order_is_cut_to_the_room_that_is_left() {
    // The worked example of the contract, at a lot of 0.001: 1,000 of room at 35,000.5.
    let rules = "risk r soft { applies to all
        cap ROOM value to max(30% * account.equity - account.exposure, 0 USDT)
            unless order.reduces }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_005);
    assert_eq!(desk.ask(Side::Buy, 57, 350_005), yes(57, ""), "57 * 35.0005 is below 2,000");
    desk.filled(Side::Buy, 57, 350_005);
    assert_eq!(desk.ask(Side::Buy, 1_000, 350_005), yes(28, "ROOM"));
    assert_eq!(desk.ask(Side::Buy, 1_000, 350_005), no("ROOM"), "the open order counts already");
}

#[test]
fn a_cap_that_leaves_too_little_refuses_with_its_own_code_before_denies() {
    let rules = "risk r soft { applies to all
        cap SMALL value to 4 USDT
        deny NEVER when true }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("SMALL"));
}

#[test]
fn what_a_cap_refuses_is_recorded_as_it_was_asked() {
    let rules = "risk r soft { applies to all
        cap NONE value to 0 USDT when not order.is_buy unless order.reduces }";
    let mut desk = Desk::new(rules, 10_000);
    let reduces = |desk: &Desk| {
        desk.out.events().iter().find_map(|event| match event.body() {
            Body::Decision(decision) => Some(decision.reduces),
            _ => None,
        })
    };
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 5, 350_001), yes(5, ""));
    desk.filled(Side::Buy, 5, 350_001);
    // It would turn the position. Cut to nothing it would take nothing away, which is no reason to
    // call it reducing.
    assert_eq!(desk.ask(Side::Sell, 8, 349_999), no("NONE"));
    assert_eq!(reduces(&desk), Some(false));
    assert_eq!(desk.ask(Side::Sell, 5, 349_999), yes(5, ""));
    assert_eq!(reduces(&desk), Some(true));
}

#[test]
fn a_deny_that_only_the_cut_order_meets_is_told_under_the_caps_code() {
    let rules = "risk r soft { applies to all
        cap SMALL value to 60 USDT
        deny BELOW when order.value < 100 USDT }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("SMALL"), "350 was asked for");
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), no("BELOW"), "35 was too small by itself");
}

#[test]
fn the_code_shown_is_by_kind_then_block_then_order_however_files_are_written() {
    let blocks = [
        "risk b soft { applies to all\n deny B_ONE when true
            halt B_HALT until clear when control.level == 0 }",
        "risk a soft { applies to all\n deny A_TWO when true\n deny A_ONE when true }",
    ];
    for rules in [format!("{}\n{}", blocks[0], blocks[1]), format!("{}\n{}", blocks[1], blocks[0])]
    {
        let mut desk = Desk::new(&rules, 10_000);
        desk.quote(350_000);
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("B_HALT"), "a halt goes before denies");
    }
    let said = |rules: &str| {
        let mut desk = Desk::new(rules, 10_000);
        desk.quote(350_000);
        desk.ask(Side::Buy, 10, 350_000)
    };
    let one = "risk a soft { applies to all\n deny TWO when true\n deny ONE when true }";
    let two = "risk b soft { applies to all\n deny FIRST when true }";
    assert_eq!(said(one), no("TWO"), "in the order of the block");
    assert_eq!(said(&format!("{one}\n{two}")), no("TWO"), "block a goes before b");
    assert_eq!(said(&format!("{two}\n{one}")), no("TWO"), "wherever they stand");
}

#[test]
fn a_latch_binds_the_instruments_and_strategies_of_its_block() {
    let rules = "risk all soft { applies to all\n deny NEVER when false }
        risk one soft { applies to strategy s on BTC_USDT.PERP
            halt STOPPED until manual when account.exposure >= 0 USDT then cancel_orders }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("STOPPED"));
    let cancel = desk.out.events().iter().find_map(|event| match event.body() {
        Body::CancelAll(all) => Some((event.instrument, all.strategy)),
        _ => None,
    });
    assert_eq!(cancel, Some((BTC, StrategyId(0))), "orders of others stay");
    desk.id = ETH;
    desk.quote(250_000);
    assert_eq!(desk.ask(Side::Buy, 10, 250_000), yes(10, ""), "the block is not about this one");
}

#[test]
fn a_latch_on_the_market_is_judged_by_every_event_of_it_flat_or_not() {
    let rules = "risk r soft { applies to all
        halt WIDE until manual when market.spread > 0.5% }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.latches(), []);
    desk.quote_wide(350_000, 1_000);
    assert_eq!(desk.latches(), [("WIDE".to_owned(), LatchState::Armed)], "the middle is the same");
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("WIDE"), "narrow again: it stays");
    desk.id = ETH;
    desk.quote(250_000);
    assert_eq!(desk.ask(Side::Buy, 10, 250_000), yes(10, ""), "a latch an instrument");
}

#[test]
fn a_condition_that_outlives_its_latch_no_longer_acts() {
    let rules = "risk r soft { applies to all
        halt PAUSE for 10s when account.exposure > 100 USDT }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), no("PAUSE"));
    desk.second += 10;
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [("PAUSE".to_owned(), LatchState::Ended)]);
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""), "the exit that clears it");
}

#[test]
fn an_order_is_judged_by_the_equity_of_its_own_moment() {
    let rules = "risk r soft { applies to all
        deny LOSS when account.day_loss > 50% unless order.reduces }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    desk.send(&FeedState { status: FeedStatus::Gap, ..FeedState::default() });
    desk.second += 60;
    desk.id = ETH;
    desk.quote(250_000);
    // What is held has no mark any more, so nobody knows the equity.
    let unknown = Said::No("LOSS".to_owned(), Cause::Missing);
    assert_eq!(desk.ask(Side::Buy, 10, 250_000), unknown);
}

#[test]
fn what_an_order_closes_is_that_of_its_final_quantity() {
    let rules = "risk r soft { applies to all
        cap SLICE qty to 5 lots when order.reduces
        deny CLOSES when order.closes }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(5, "SLICE"), "five are left");
    desk.filled(Side::Sell, 5, 350_000);
    assert_eq!(desk.ask(Side::Sell, 5, 350_000), no("CLOSES"));
}

#[test]
fn a_cash_balance_that_ends_is_told() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::on(Kind::Spot, rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""));
    let order = OrderNo::new(Seq(desk.seq), 0);
    desk.send(&fill(order, Side::Sell, 10, 350_000));
    let base = desk.out.events().iter().rev().find_map(|event| match event.body() {
        Body::BalanceChanged(BalanceChanged { asset: AssetId(1), total, .. }) => Some(total),
        _ => None,
    });
    assert_eq!(base, Some(Money::ZERO));
}

#[test]
fn equity_starts_when_all_accounts_are_open() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::new(rules, 10_000);
    let opened = AccountOpened { total: Money::units(500), ..AccountOpened::default() };
    desk.send(&opened);
    desk.send(&DayRoll { date: Date(1) });
    assert_eq!(desk.risk.portfolio().measures().start(), Some(Money::units(10_500)));
}

#[test]
fn nothing_is_approved_once_a_fill_could_not_be_booked() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    desk.send(&fill(OrderNo::new(Seq(77), 0), Side::Buy, 10, 350_000));
    let told = [("UNBOOKED".to_owned(), LatchState::Armed)];
    assert_eq!(desk.latches(), told, "it is told when it happens");
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("UNBOOKED"), "what is held is unknown");
    desk.send(&fill(OrderNo::new(Seq(78), 0), Side::Buy, 10, 350_000));
    assert_eq!(desk.latches(), [], "once");
    assert!(desk.risk.portfolio().position(BTC).is_flat(), "and nothing was booked");
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), no("UNBOOKED"), "exits too");
}

#[test]
fn what_is_unknown_refuses_an_entry_and_lets_an_exit_pass() {
    let rules = "risk r soft { applies to all
        cap ROOM value to max(30% * account.equity - account.exposure, 0 USDT)
            unless order.reduces
        deny WIDE when market.spread > 1% unless order.reduces }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    desk.send(&FeedState { status: FeedStatus::Gap, ..FeedState::default() });
    desk.second += 60;
    let Said::No(_, cause) = desk.ask(Side::Buy, 10, 350_000) else { panic!("must refuse") };
    assert_eq!(cause, Cause::Missing);
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""), "an exit is not trapped");
    assert!(matches!(desk.ask(Side::Sell, 1, 350_000), Said::No(..)), "a second one would flip");
}

#[test]
fn a_latch_that_is_unknown_refuses_an_entry_and_traps_no_exit() {
    for effect in ["halt", "reduce_only"] {
        let rules = format!(
            "risk r soft {{ applies to all\n {effect} WIDE until manual when market.spread > 1% }}"
        );
        let mut desk = Desk::new(&rules, 10_000);
        desk.quote(350_000);
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
        desk.filled(Side::Buy, 10, 350_000);
        desk.send(&FeedState { status: FeedStatus::Gap, ..FeedState::default() });
        let unknown = Said::No("WIDE".to_owned(), Cause::Missing);
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), unknown, "{effect}");
        assert_eq!(desk.latches(), [], "it does not latch");
        assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""), "{effect}");
    }
}

#[test]
fn an_order_that_a_cap_cuts_is_judged_by_what_it_is_then() {
    let rules = "risk r soft { applies to all
        cap SLICE qty to 8 lots when not order.is_buy
        deny ENTRY when not order.reduces and not order.is_buy }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    assert_eq!(desk.ask(Side::Sell, 15, 350_000), yes(8, "SLICE"), "eight reduce, 15 would flip");
}

#[test]
fn what_latches_can_put_out_at_once_is_known_before() {
    let events = |rules: &str| Risk::latch_events_max(&Desk::new(rules, 10_000).rules);
    let all = "risk r soft { applies to all\n deny NEVER when false }";
    assert_eq!(events(all), 0);
    let once = "halt A until manual when account.exposure > 5 USDT then cancel_orders";
    assert_eq!(events(&format!("risk r soft {{ applies to all\n {once} }}")), 4);
    let each = "halt A until manual when market.spread > 1% then cancel_orders";
    assert_eq!(events(&format!("risk r soft {{ applies to all\n {each} }}")), 8);
    let of_one =
        format!("{all}\nrisk o soft {{ applies to strategy s on ETH_USDT.PERP\n {once} }}");
    assert_eq!(events(&of_one), 4);
}

#[test]
fn every_cap_is_verified_by_multiplication() {
    let rules = "risk r soft { applies to all
        cap SMALL value to 100 USDT
        cap LARGE value to 200 USDT }";
    let mut desk = Desk::new(rules, 10_000);
    desk.quote(350_000);
    let signal = Signal {
        price: Price(350_000),
        qty: Qty(10),
        side: Side::Buy,
        priced: true,
        ..Signal::default()
    };
    let event = Event::new(Seq(99), Nanos(desk.second * SECOND_NS), BTC, &signal);
    let mut judgement = desk.risk.begin(&event, &signal).unwrap();
    desk.risk.judge_caps(BTC, &mut judgement);
    assert_eq!(judgement.order.open.remaining, Qty(2), "70 of 350");
    assert_eq!(desk.risk.recheck_caps(BTC, &judgement), Ok(()));
    judgement.order.open.remaining = Qty(3);
    assert_eq!(desk.risk.recheck_caps(BTC, &judgement), Err(Reject::CapRecheck));
}

#[test]
fn a_price_off_the_tick_is_refused() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::new(rules, 10_000);
    desk.risk.instruments[0].tick = Price(5);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_003), no("OFF_TICK"));
    assert_eq!(desk.ask(Side::Buy, 10, 350_005), yes(10, ""));
}

#[test]
fn reduce_only_lets_exits_pass_and_neither_entries_nor_flips() {
    let rules = "risk r soft { applies to all
        reduce_only DOWN until manual when account.day_drawdown >= 5% }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 50, 350_000), yes(50, ""));
    desk.filled(Side::Buy, 50, 350_000);
    desk.quote(339_000);
    assert_eq!(desk.latches(), [("DOWN".to_owned(), LatchState::Armed)], "on the event itself");
    assert_eq!(desk.ask(Side::Buy, 1, 339_000), no("DOWN"));
    assert_eq!(desk.ask(Side::Sell, 51, 339_000), no("DOWN"), "it would flip");
    desk.quote(350_000);
    assert_eq!(desk.latches(), [], "until manual: it stays");
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), no("DOWN"));
    assert_eq!(desk.ask(Side::Sell, 50, 350_000), yes(50, ""));
}

#[test]
fn a_held_latch_acts_on_orders_while_it_waits_and_arms_by_its_timer() {
    let rules = "risk r soft { applies to all
        reduce_only DOWN until clear when account.day_drawdown >= 5% held 2s }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    desk.ask(Side::Buy, 50, 350_000);
    desk.filled(Side::Buy, 50, 350_000);
    desk.quote(339_000);
    assert_eq!(desk.latches(), [("DOWN".to_owned(), LatchState::Waiting)]);
    let wake = desk.out.events().iter().find_map(|event| match event.body() {
        Body::Wake(wake) => Some(wake.due),
        _ => None,
    });
    assert_eq!(wake, Some(Nanos((desk.second + 2) * SECOND_NS)));
    assert_eq!(desk.ask(Side::Buy, 1, 339_000), no("DOWN"), "it acts already");
    desk.second += 1;
    desk.quote(350_000);
    assert_eq!(desk.latches(), [("DOWN".to_owned(), LatchState::Ended)], "the wait was broken");
    desk.quote(339_000);
    desk.second += 2;
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [("DOWN".to_owned(), LatchState::Armed)]);
    desk.quote(350_000);
    assert_eq!(desk.latches(), [("DOWN".to_owned(), LatchState::Ended)], "until clear");
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), yes(1, ""));
}

#[test]
fn a_day_roll_ends_the_latches_of_the_day_and_starts_the_measures_anew() {
    let rules = "risk r soft { applies to all
        reduce_only DAY until day_end when account.day_loss >= 5%
        reduce_only EVER until manual when account.drawdown >= 5% }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    desk.ask(Side::Buy, 50, 350_000);
    desk.filled(Side::Buy, 50, 350_000);
    desk.quote(339_000);
    assert_eq!(desk.latches().len(), 2);
    desk.send(&DayRoll { date: Date(1) });
    assert_eq!(desk.latches(), [("DAY".to_owned(), LatchState::Ended)]);
    let state = desk.out.events().iter().find_map(|event| match event.body() {
        Body::RiskState(state) => Some(state),
        _ => None,
    });
    assert_eq!(state.map(|s| (s.equity, s.known)), Some((Money::units(945), true)));
    assert_eq!(desk.ask(Side::Buy, 1, 339_000), no("EVER"));
}

#[test]
fn a_latch_ends_after_its_time_and_needs_a_new_edge() {
    let rules = "risk r soft { applies to all
        reduce_only PAUSE for 10s when market.spread > 1% }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""));
    desk.filled(Side::Buy, 10, 350_000);
    let wide = |desk: &mut Desk| {
        let (bid, ask) = (Price(340_000), Price(360_000));
        let (bid_qty, ask_qty) = (Qty(1), Qty(1));
        desk.send(&Quote { bid, ask, bid_qty, ask_qty, update_id: 0 });
    };
    wide(&mut desk);
    assert_eq!(desk.latches(), [("PAUSE".to_owned(), LatchState::Armed)]);
    desk.second += 10;
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [("PAUSE".to_owned(), LatchState::Ended)]);
    desk.send(&Timer::default());
    assert_eq!(desk.latches(), [], "still wide: without an edge it does not arm again");
    desk.quote(350_000);
    wide(&mut desk);
    assert_eq!(desk.latches(), [("PAUSE".to_owned(), LatchState::Armed)]);
}

#[test]
fn the_engines_own_checks_stand_whatever_the_rules_say() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::new(rules, 1_000);
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("NO_PRICE"), "no mark yet");
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 10, 0), no("NO_PRICE"));
    assert_eq!(desk.ask(Side::Buy, 0, 350_000), no("BELOW_MIN_QTY"));
    assert_eq!(desk.ask(Side::Buy, 1_000_001, 350_000), no("ABOVE_MAX_QTY"));
    assert_eq!(desk.ask(Side::Buy, 100, 350_000), no("LEVERAGE"), "3,500 at a leverage of 3");
    assert_eq!(desk.ask(Side::Buy, 80, 350_000), yes(80, ""));
    assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("LEVERAGE"), "open orders count");
    desk.id = ETH;
    desk.quote(250_000);
    assert_eq!(desk.ask(Side::Buy, 1_000, 250_000), no("NO_BALANCE"), "they hold margin too");
}

#[test]
fn rules_that_spoke_are_a_set_in_the_record() {
    let rules = "risk r soft { applies to all\n deny ONE when true\n deny TWO when true }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    desk.ask(Side::Buy, 10, 350_000);
    let set = desk.out.events().iter().find_map(|event| match event.body() {
        Body::DecisionRules(rules) => Some(rules.rules_0),
        _ => None,
    });
    assert_eq!(set, Some(0b11));
}

/// A desk that holds 85 lots of BTC, bought at 35,000 on 1,000 of balance.
fn long_desk() -> Desk {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 80, 350_000), yes(80, ""));
    desk.filled(Side::Buy, 80, 350_000);
    desk
}

#[test]
fn margin_that_no_longer_holds_a_position_has_the_venue_close_it() {
    let mut desk = long_desk();
    let asked = |desk: &Desk| {
        desk.out.events().iter().find_map(|event| match event.body() {
            Body::Liquidate(liquidate) => Some((liquidate.qty.0, liquidate.price.0)),
            _ => None,
        })
    };
    // 2,800 at cost, 14 of maintenance: liquidated where 1,000 and the loss come to that.
    desk.quote(226_200);
    assert_eq!(asked(&desk), None);
    desk.quote(226_100);
    assert_eq!(asked(&desk), Some((80, 223_839)), "1 % below the mark, on the tick");
    let armed = desk.out.events().iter().find_map(|event| match event.body() {
        Body::LatchChanged(changed) => Some(changed),
        _ => None,
    });
    let armed = armed.expect("it is told");
    assert_eq!((armed.code, armed.state), (Reject::Liquidated.into(), LatchState::Armed));
    assert!(armed.observed <= armed.limit, "{armed:?}");
    desk.quote(226_000);
    assert_eq!(asked(&desk), None, "once");
    assert_eq!(desk.ask(Side::Buy, 1, 226_000), no("LIQUIDATED"));
    assert_eq!(desk.ask(Side::Sell, 10, 226_000), yes(10, ""), "exits pass");
    let order = OrderNo::new(Seq(desk.seq), u16::MAX);
    let closed = fill(order, Side::Sell, 80, 223_839);
    desk.send(&Fill { liquidity: Liquidity::Liquidation, ..closed });
    assert!(desk.risk.portfolio().position(BTC).is_flat());
    let row = desk.risk.portfolio().ledgers().of(StrategyId(0), BTC).copied().unwrap();
    assert!(row.position.is_flat() && row.realised.0 < 0, "{row:?}");
    assert_eq!(desk.ask(Side::Buy, 1, 226_000), no("LIQUIDATED"), "until a person says so");
}

#[test]
fn a_funding_without_a_mark_leaves_exits_only_until_a_person_sets_it_right() {
    let mut desk = long_desk();
    let total = |desk: &Desk| desk.risk.portfolio().balances().total(AccountId(0), AssetId(0));
    let paid = Funding { rate: Rate(100_000), mark: Price(3_500_000), ..Funding::default() };
    desk.send(&paid);
    assert_eq!(total(&desk), Money(999_720_000_000), "0.01 % of 2,800");
    let fault = InputFault::NoMark;
    desk.send(&BadInput { line: 0, count: 1, source: 0, fault });
    assert_eq!(desk.latches(), [("DOUBTFUL".to_owned(), LatchState::Armed)]);
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), no("DOUBTFUL"));
    assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""));
    desk.send(&OrderDone {
        order: OrderNo::new(Seq(desk.seq), 0),
        filled: Qty(0),
        code: Code::NONE,
        reason: model::order::DoneReason::Cancelled,
    });
    let reason = FlowReason::Adjustment;
    desk.send(&CashFlow { amount: Money::units(-1), reason, by: 7, ..CashFlow::default() });
    assert_eq!(desk.latches(), [("DOUBTFUL".to_owned(), LatchState::Ended)]);
    assert_eq!(total(&desk), Money(998_720_000_000));
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), yes(1, ""));
}

/// Balances that do not add up: a withdrawal of what open orders hold cannot have happened, so
/// what is there is not known until a person says it.
#[test]
fn a_flow_that_takes_what_is_not_there_leaves_exits_only() {
    let rules = "risk r soft { applies to all\n deny NEVER when false }";
    let mut desk = Desk::on(Kind::Spot, rules, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 20, 350_000), yes(20, ""));
    let total = |desk: &Desk| desk.risk.portfolio().balances().total(AccountId(0), AssetId(0));
    let taken = CashFlow { amount: Money::units(-301), by: 7, ..CashFlow::default() };
    desk.send(&CashFlow { reason: FlowReason::Withdrawal, ..taken });
    assert_eq!(desk.latches(), [("DOUBTFUL".to_owned(), LatchState::Armed)]);
    assert_eq!(total(&desk), Money::units(1_000), "nothing was booked");
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), no("DOUBTFUL"));
    desk.send(&CashFlow { amount: Money::units(-1), reason: FlowReason::Adjustment, ..taken });
    assert_eq!(desk.latches(), [("DOUBTFUL".to_owned(), LatchState::Ended)]);
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), yes(1, ""));
}

/// An order with a limit has a price, and still nothing says what it is worth.
#[test]
fn an_order_without_a_mark_is_refused_whatever_its_limit_says() {
    for kind in [Kind::Spot, Kind::LinearPerpetual] {
        let rules = "risk r soft { applies to all\n deny NEVER when false }";
        let mut desk = Desk::on(kind, rules, 1_000);
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("NO_PRICE"), "{kind:?}: no mark yet");
        desk.quote(350_000);
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), yes(10, ""), "{kind:?}");
        desk.filled(Side::Buy, 10, 350_000);
        // A gap, and the mark has outlived its source: exits pass.
        desk.send(&FeedState { status: FeedStatus::Gap, ..FeedState::default() });
        desk.second += 60;
        assert_eq!(desk.ask(Side::Buy, 10, 350_000), no("WARMUP"), "{kind:?}: equity is unknown");
        assert_eq!(desk.ask(Side::Sell, 10, 350_000), yes(10, ""), "{kind:?}");
    }
}

#[test]
fn rules_read_what_a_strategy_has_and_how_near_its_end_is() {
    let rules = "risk r soft {
        applies to all
        deny POOR when strategy.capital < 900 USDT unless order.reduces
        deny NEAR when position.liq_distance < 30% unless order.reduces
        deny MARGIN when account.margin_ratio > 2% unless order.reduces
        deny CHATTY when strategy.order_to_trade > 3 unless order.reduces
    }";
    let mut desk = Desk::new(rules, 1_000);
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 80, 350_000), yes(80, ""));
    desk.filled(Side::Buy, 80, 350_000);
    desk.quote(330_000);
    assert_eq!(desk.ask(Side::Buy, 1, 330_000), no("POOR"), "1,000 less 160");
    desk.quote(345_000);
    assert_eq!(desk.ask(Side::Buy, 1, 345_000), yes(1, ""), "1,000 less 40");
}

#[test]
fn net_exposure_is_read_by_asset() {
    let mut desk = Desk::new(
        "risk r soft { applies to all
            deny NET when account.net_exposure(BTC) >= 700 USDT unless order.reduces }",
        1_000,
    );
    desk.quote(350_000);
    assert_eq!(desk.ask(Side::Buy, 20, 350_000), yes(20, ""));
    desk.filled(Side::Buy, 20, 350_000);
    // 0.020 at 35,000.0 are 700.
    assert_eq!(desk.ask(Side::Buy, 1, 350_000), no("NET"));
    assert_eq!(desk.ask(Side::Sell, 1, 350_000), yes(1, ""));
    desk.quote(349_000);
    assert_eq!(desk.ask(Side::Buy, 1, 349_000), yes(1, ""));
}
