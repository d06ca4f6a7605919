//! What a strategy asks for: one order at a time for an exit, none that would end as the last did,
//! and what an exit does to its own entry.

use model::event::{DayRoll, FeedState, Payload, Quote, Signal, SignalTerms, Trade};
use model::id::{AssetId, InstrumentId, OrderNo, Seq};
use model::instrument;
use model::num::{Price, Qty};
use model::order::{Action, DoneReason, FeedStatus, Liquidity, Side, SizeKind, TimeInForce};
use model::reject::Code;
use model::time::{Nanos, SECOND_NS};

use super::*;
use crate::testing::{bound, demo_setup};

const BTC: InstrumentId = InstrumentId(0);

/// The strategy stage under some rules, with the signals of the last event.
struct Desk {
    strategy: Strategy,
    seq: u64,
    second: i64,
    signals: Vec<(OrderNo, Signal)>,
    terms: Vec<SignalTerms>,
}

impl Desk {
    fn new(strategy: &str) -> Self {
        Self::with_leverage(3, strategy)
    }

    fn with_leverage(leverage: u32, strategy: &str) -> Self {
        Self::on(instrument::Kind::LinearPerpetual, leverage, strategy)
    }

    fn on(kind: instrument::Kind, leverage: u32, strategy: &str) -> Self {
        let risk = "risk r soft { applies to all\n deny NEVER when false }";
        let symbol = if kind == instrument::Kind::Spot { "BTC_USDT" } else { "BTC_USDT.PERP" };
        let rules = format!("{risk}\nstrategy s {{ on trade of {symbol}\n{strategy} }}");
        let (setup, facts) = demo_setup(kind, |facts| facts.leverage_max = leverage);
        let bound = bound(&rules, &setup, &facts);
        let strategy = Strategy::new(&setup, &facts, &bound);
        let mut desk =
            Self { strategy, seq: 0, second: 1_000, signals: Vec::new(), terms: Vec::new() };
        desk.feed(FeedStatus::Synced);
        let (bid_qty, ask_qty) = (Qty(9_000), Qty(9_000));
        let (bid, ask) = (Price(349_999), Price(350_001));
        desk.send(&Quote { bid, ask, bid_qty, ask_qty, update_id: 0 });
        desk
    }

    fn send<P: Payload>(&mut self, payload: &P) {
        self.seq += 1;
        let ts = Nanos(self.second * SECOND_NS);
        let event = Event::new(Seq(self.seq), ts, BTC, payload);
        let mut out = Out::new();
        self.strategy.step(&event, &mut out);
        let signals = out.events().iter().filter_map(|event| match event.body() {
            Body::Signal(signal) => Some((OrderNo::new(event.seq, signal.ordinal), signal)),
            _ => None,
        });
        self.signals = signals.collect();
        let terms = out.events().iter().filter_map(|event| match event.body() {
            Body::SignalTerms(terms) => Some(terms),
            _ => None,
        });
        self.terms = terms.collect();
    }

    fn feed(&mut self, status: FeedStatus) {
        self.send(&FeedState { status, ..FeedState::default() });
    }

    /// Trades at a price in tenths, which is the strategy's trigger.
    fn trade(&mut self, price: i64) {
        self.send(&Trade { price: Price(price), qty: Qty(1), ..Trade::default() });
    }

    /// The last event's only order.
    #[track_caller]
    fn order(&self) -> (OrderNo, Signal) {
        let [one] = self.signals[..] else { panic!("one signal, not {:?}", self.signals) };
        one
    }

    fn fill(&mut self, order: OrderNo, side: Side, qty: i64) {
        self.fill_with_fee(order, side, qty, 0);
    }

    /// A fill whose fee is of the base, in units of 1e-9.
    fn fill_with_fee(&mut self, order: OrderNo, side: Side, qty: i64, fee: i64) {
        // The assets are USDT, BTC, ETH.
        let (price, fee_asset) = (Price(350_000), AssetId(1));
        let (qty, liquidity) = (Qty(qty), Liquidity::Taker);
        self.send(&Fill { order, price, qty, fee, trade: 1, fee_asset, side, liquidity });
    }

    fn done(&mut self, order: OrderNo, filled: i64, reason: DoneReason) {
        self.send(&OrderDone { order, filled: Qty(filled), code: Code::NONE, reason });
    }

    /// Enters with ten lots.
    fn enter(&mut self) {
        self.trade(350_000);
        let (order, _) = self.order();
        self.fill(order, Side::Buy, 10);
        self.done(order, 10, DoneReason::Filled);
        assert_eq!(self.signals, []);
    }
}

const AT_MARKET: &str = "
    enter long GO when market.last == 350_000 ticks size 10 lots at_market
    exit long BACK when market.last < 350_000 ticks";

#[test]
fn an_exit_that_found_nothing_waits_for_the_next_trigger() {
    let mut desk = Desk::new(AT_MARKET);
    desk.enter();
    desk.trade(349_000);
    let (first, signal) = desk.order();
    assert_eq!((signal.action, signal.qty), (Action::Exit, Qty(10)));
    desk.done(first, 0, DoneReason::Expired);
    assert_eq!(desk.signals, [], "the same moment would end the same way");
    desk.trade(349_000);
    let (second, _) = desk.order();
    desk.trade(349_000);
    assert_eq!(desk.signals, [], "one order at a time");
    desk.done(second, 0, DoneReason::Expired);
    let (third, _) = desk.order();
    desk.fill(third, Side::Sell, 4);
    desk.done(third, 4, DoneReason::Expired);
    let (_, rest) = desk.order();
    assert_eq!((rest.action, rest.qty), (Action::Exit, Qty(6)), "what was left, at once");
}

#[test]
fn an_exit_is_priced_by_the_last_mark_ever_seen_and_an_entry_is_not() {
    let mut desk = Desk::new(AT_MARKET);
    desk.enter();
    desk.feed(FeedStatus::Gap);
    desk.second += 600;
    desk.trade(349_000);
    let (_, exit) = desk.order();
    assert!(exit.priced && exit.price < Price(350_000), "{exit:?}");
    let mut desk = Desk::new(AT_MARKET);
    desk.feed(FeedStatus::Gap);
    desk.second += 600;
    desk.trade(350_000);
    assert!(!desk.signals.iter().any(|(_, signal)| signal.priced), "{:?}", desk.signals);
}

#[test]
fn an_exit_withdraws_the_entry_that_it_would_close_once_also_while_flat() {
    let mut desk = Desk::new(
        "enter long GO when market.last == 350_000 ticks size 10 lots price market.last ttl 10m
         exit long BACK when market.last < 350_000 ticks",
    );
    desk.trade(350_000);
    let (entry, _) = desk.order();
    desk.trade(349_000);
    let (_, cancel) = desk.order();
    assert_eq!(cancel.action, Action::CancelEntries);
    desk.trade(349_000);
    assert_eq!(desk.signals, [], "it is on its way");
    desk.done(entry, 0, DoneReason::Cancelled);
    desk.trade(350_000);
    assert_eq!(desk.order().1.action, Action::Enter);
}

#[test]
fn an_exit_closes_what_the_withdrawn_entry_filled_in_the_meantime() {
    let working = "enter long GO when market.last == 350_000 ticks size 10 lots price market.last";
    let once = "exit long BACK when market.last == 349_000 ticks";
    let mut desk = Desk::new(&format!("{working} ttl 10m\n{once}"));
    // While something is held, and while nothing is.
    for (before, meanwhile) in [(2, 5), (0, 7)] {
        desk.trade(350_000);
        let (entry, _) = desk.order();
        if before > 0 {
            desk.fill(entry, Side::Buy, before);
        }
        desk.trade(349_000);
        assert_eq!(desk.order().1.action, Action::CancelEntries);
        desk.fill(entry, Side::Buy, meanwhile);
        assert_eq!(desk.signals, [], "the entry has not ended");
        desk.done(entry, before + meanwhile, DoneReason::Cancelled);
        let (exit, signal) = desk.order();
        assert_eq!((signal.action, signal.qty), (Action::Exit, Qty(7)));
        desk.fill(exit, Side::Sell, 7);
        desk.done(exit, 7, DoneReason::Filled);
        desk.trade(349_001);
        assert_eq!(desk.signals, []);
    }
}

#[test]
fn an_opposite_entry_is_not_closed_by_the_target_that_made_room_for_it() {
    let mut desk = Desk::new(
        "enter long GO when market.last == 350_000 ticks size 10 lots at_market
         enter short TURN when market.last == 349_000 ticks where shortable size 3 lots at_market",
    );
    desk.enter();
    desk.trade(349_000);
    let [(exit, closing), (turn, opening)] = desk.signals[..] else { panic!("{:?}", desk.signals) };
    assert_eq!((closing.action, closing.qty), (Action::Exit, Qty(10)));
    assert_eq!((opening.action, opening.side), (Action::Enter, Side::Sell));
    desk.fill(exit, Side::Sell, 10);
    desk.fill(turn, Side::Sell, 3);
    desk.done(turn, 3, DoneReason::Filled);
    desk.done(exit, 10, DoneReason::Filled);
    desk.trade(349_500);
    assert_eq!(desk.signals, [], "short is what was asked for");
}

/// The order that made room has not ended when the other side is to be left too.
#[test]
fn an_exit_of_the_new_side_is_not_lost_behind_the_target_of_the_old() {
    let mut desk = Desk::new(
        "enter long GO when market.last == 350_000 ticks size 10 lots at_market
         enter short TURN when market.last == 349_000 ticks where shortable size 30 lots at_market
         exit short BACK when market.last == 348_000 ticks",
    );
    for exit_ends_first in [true, false] {
        desk.enter();
        desk.trade(349_000);
        let [(exit, _), (turn, _)] = desk.signals[..] else { panic!("{:?}", desk.signals) };
        desk.fill(exit, Side::Sell, 10);
        desk.fill(turn, Side::Sell, 4);
        if exit_ends_first {
            desk.done(exit, 10, DoneReason::Filled);
        }
        desk.trade(348_000);
        assert_eq!(desk.order().1.action, Action::CancelEntries, "{exit_ends_first}");
        desk.done(turn, 4, DoneReason::Cancelled);
        if !exit_ends_first {
            desk.done(exit, 10, DoneReason::Filled);
        }
        let (back, signal) = desk.order();
        assert_eq!((signal.action, signal.side, signal.qty), (Action::Exit, Side::Buy, Qty(4)));
        desk.fill(back, Side::Buy, 4);
        desk.done(back, 4, DoneReason::Filled);
        assert_eq!(desk.signals, []);
    }
}

/// On spot the fee leaves dust: a strategy neither sees it nor is stopped by it.
#[test]
fn dust_is_no_position() {
    let mut desk = Desk::on(
        instrument::Kind::Spot,
        1,
        "enter long GO when market.last == 350_000 ticks and position.age is na
             size 10 lots price market.last
         exit long OLD when position.age >= 1m
         exit long LOW when market.last < position.avg_price",
    );
    // The fee takes the last lot of the first round; what is left of it tops up the second.
    for sold in [9, 10] {
        desk.trade(350_000);
        let (entry, signal) = desk.order();
        assert_eq!(signal.action, Action::Enter);
        desk.fill_with_fee(entry, Side::Buy, 10, 1);
        desk.done(entry, 10, DoneReason::Filled);
        desk.second += 59;
        desk.trade(350_001);
        assert_eq!(desk.signals, [], "its age begins with this round");
        desk.second += 1;
        desk.trade(350_001);
        let (exit, signal) = desk.order();
        assert_eq!((signal.action, signal.qty), (Action::Exit, Qty(sold)));
        desk.fill(exit, Side::Sell, sold);
        desk.done(exit, sold, DoneReason::Filled);
        desk.second += 600;
        desk.trade(300_000);
        assert_eq!(desk.signals, [], "nothing is held that could be sold");
    }
}

#[test]
fn a_perpetual_without_leverage_can_still_be_shorted() {
    let short = "enter short GO when market.last > 1 ticks where shortable size 10 lots at_market";
    let mut desk = Desk::with_leverage(1, short);
    desk.trade(350_000);
    assert_eq!(desk.order().1.side, Side::Sell);
}

const QUOTES: &str = "
    let px = market.last
    quote BOTH
      when px >= 340_000 ticks
      bid px - 10 ticks size 2 lots
      ask px + 10 ticks size 3 lots
      ttl 5s
      post_only
      replace when abs(px - 10 ticks - quote.bid) > 3 ticks
    cancel AWAY when px > 360_000 ticks
    exit long OUT when position.qty >= 2 lots price px";

fn sides(desk: &Desk) -> Vec<(Action, Side, i64)> {
    desk.signals.iter().map(|(_, signal)| (signal.action, signal.side, signal.price.0)).collect()
}

#[test]
fn a_quote_works_its_legs_until_it_is_replaced_or_ends() {
    let mut desk = Desk::new(QUOTES);
    desk.trade(350_000);
    let (quote, cancel) = (Action::Quote, Action::CancelQuote);
    assert_eq!(sides(&desk), [(quote, Side::Buy, 349_990), (quote, Side::Sell, 350_010)]);
    let [(bid, first), (ask, second)] = desk.signals[..] else { panic!("two legs") };
    assert_eq!((first.qty, second.qty), (Qty(2), Qty(3)));
    assert!(first.post_only && first.ttl_ns == 5 * SECOND_NS && first.rule == second.rule);
    desk.trade(350_002);
    assert_eq!(sides(&desk), [], "what is near enough stays");
    desk.trade(350_004);
    assert_eq!(sides(&desk), [(cancel, Side::Buy, 0), (cancel, Side::Sell, 0)]);
    desk.trade(350_005);
    assert_eq!(sides(&desk), [], "each is cancelled once, and none is sent beside it");
    desk.done(bid, 0, DoneReason::Cancelled);
    assert_eq!(sides(&desk), []);
    desk.trade(350_005);
    assert_eq!(sides(&desk), [(quote, Side::Buy, 349_995)], "the other has not ended yet");
    desk.done(ask, 0, DoneReason::Cancelled);
    desk.trade(350_005);
    assert_eq!(sides(&desk), [(quote, Side::Sell, 350_015)]);
    desk.trade(339_000);
    assert_eq!(sides(&desk), [(cancel, Side::Buy, 0), (cancel, Side::Sell, 0)]);
}

#[test]
fn a_cancel_withdraws_quotes_and_fires_when_it_is_not_known() {
    let mut desk = Desk::new(QUOTES);
    desk.trade(350_000);
    assert_eq!(desk.signals.len(), 2);
    desk.trade(360_001);
    let cancel = Action::CancelQuote;
    assert_eq!(sides(&desk), [(cancel, Side::Buy, 0), (cancel, Side::Sell, 0)]);
    let unknown = "
        enter long GO when true size 1 lots price market.last
        cancel UNSURE when sma(market.last, 3) > 400_000 ticks";
    let mut desk = Desk::new(unknown);
    desk.trade(350_000);
    let actions: Vec<Action> = desk.signals.iter().map(|(_, signal)| signal.action).collect();
    assert_eq!(actions, [Action::Enter, Action::CancelEntries]);
}

#[test]
fn an_exit_goes_out_when_the_quotes_that_would_open_have_ended() {
    let mut desk = Desk::new(QUOTES);
    desk.trade(350_000);
    let [(bid, _), _] = desk.signals[..] else { panic!("two legs") };
    desk.fill(bid, Side::Buy, 2);
    desk.done(bid, 2, DoneReason::Filled);
    desk.trade(350_001);
    let (order, exit) = desk.signals[0];
    assert_eq!((exit.action, exit.side, exit.qty), (Action::Exit, Side::Sell, Qty(2)));
    assert_eq!(desk.signals.len(), 1, "nothing is bid while it closes");
    desk.fill(order, Side::Sell, 2);
    desk.done(order, 2, DoneReason::Filled);
    desk.trade(350_001);
    assert_eq!(sides(&desk), [(Action::Quote, Side::Buy, 349_991)]);
    // Filled in part: the rest of the bid goes first.
    let (bid, _) = desk.order();
    desk.fill(bid, Side::Buy, 2);
    desk.trade(350_001);
    assert_eq!(sides(&desk), [(Action::CancelQuote, Side::Buy, 0)]);
    desk.done(bid, 2, DoneReason::Cancelled);
    let (_, exit) = desk.order();
    assert_eq!((exit.action, exit.qty), (Action::Exit, Qty(2)));
}

#[test]
fn states_keep_what_fills_say() {
    let mut desk = Desk::new(
        "
        state entry : price = na reset never
        state trips : int = 0 reset daily
        update entry = fill.price on fill when fill.opens
        update entry = na on closed
        update trips = trips + 1 on closed when closed.pnl < 0 USDT
        enter long GO when entry is na and trips < 2 size 10 lots price market.last
        exit long BACK when market.last < entry",
    );
    for trip in 0..2 {
        desk.trade(350_001);
        let (order, signal) = desk.order();
        assert_eq!(signal.action, Action::Enter, "{trip}");
        desk.fill(order, Side::Buy, 10);
        desk.done(order, 10, DoneReason::Filled);
        desk.trade(350_000);
        assert_eq!(desk.signals, [], "the entry was at this price");
        desk.trade(349_999);
        let (order, signal) = desk.order();
        assert_eq!(signal.action, Action::Exit);
        desk.fill_with_fee(order, Side::Sell, 10, 0);
        desk.done(order, 10, DoneReason::Filled);
    }
    // Bought and sold at one price: nothing was lost, so far.
    desk.trade(350_001);
    let (order, _) = desk.order();
    desk.send(&Fill {
        order,
        price: Price(351_000),
        qty: Qty(10),
        side: Side::Buy,
        ..Fill::default()
    });
    desk.done(order, 10, DoneReason::Filled);
    for _ in 0..2 {
        desk.trade(350_001);
        let (order, _) = desk.order();
        desk.fill(order, Side::Sell, 10);
        desk.done(order, 10, DoneReason::Filled);
        desk.trade(350_001);
        let Some((order, _)) = desk.signals.first().copied() else { break };
        desk.send(&Fill {
            order,
            price: Price(351_000),
            qty: Qty(10),
            side: Side::Buy,
            ..Fill::default()
        });
        desk.done(order, 10, DoneReason::Filled);
    }
    desk.trade(350_001);
    assert_eq!(desk.signals, [], "two losing trips");
    desk.send(&DayRoll { date: model::time::Date(1) });
    desk.trade(350_001);
    assert_eq!(desk.order().1.action, Action::Enter, "a new day");
}

/// A session that is down over Monday opens the week too: its states of the week fall back.
#[test]
fn states_of_the_week_fall_back_when_another_week_begins_on_whatever_day() {
    let mut desk = Desk::new(
        "
        state fills : int = 0 reset weekly
        update fills = fills + 1 on fill
        enter long GO when fills < 1 size 10 lots price market.last
        exit long BACK when market.last < 350_000 ticks",
    );
    let monday = 18_337;
    let day = |desk: &mut Desk, date: i32| {
        desk.send(&DayRoll { date: model::time::Date(date) });
        desk.trade(350_001);
        let went = desk.signals.first().is_some_and(|(_, signal)| signal.action == Action::Enter);
        if let Some((order, _)) = desk.signals.first().copied() {
            for (side, price) in [(Side::Buy, 350_001), (Side::Sell, 349_999)] {
                let order = if side == Side::Buy { order } else { desk.order().0 };
                desk.fill(order, side, 10);
                desk.done(order, 10, DoneReason::Filled);
                if side == Side::Buy {
                    desk.trade(349_999);
                }
                assert!(price > 0);
            }
        }
        went
    };
    let days = [0, 1, 6, 7, 8, 15, 16, 22].map(|after| day(&mut desk, monday + after));
    // Tuesday the 15th and the 22nd: the Mondays before were missed, and each is another week.
    assert_eq!(days, [true, false, false, true, false, true, false, true]);
}

#[test]
fn what_a_signal_says_beyond_its_fields_stands_before_it() {
    let mut desk = Desk::new(
        "
        enter long GO
          when market.last > 350_000 ticks
          size risk 0.5% stop market.last - 25 ticks
          price market.last
          tif fok
          strength 0.75
        enter long SHARE when market.last == 340_000 ticks size weight 20% at_market",
    );
    desk.trade(350_001);
    let (_, signal) = desk.order();
    assert_eq!((signal.qty, signal.tif), (Qty(0), TimeInForce::Fok));
    let [terms] = desk.terms[..] else { panic!("terms") };
    assert_eq!((terms.size, terms.share), (SizeKind::Risk, 5_000_000));
    assert_eq!((terms.stop, terms.stopped), (Price(349_976), true));
    assert_eq!((terms.strength, terms.strong), (750_000_000, true));
    assert_eq!((terms.ordinal, terms.strategy), (signal.ordinal, signal.strategy));
    let mut desk = Desk::new("enter long SHARE when true size weight 20% at_market");
    desk.trade(340_000);
    let [terms] = desk.terms[..] else { panic!("terms") };
    assert_eq!((terms.size, terms.share, terms.stopped), (SizeKind::Weight, 200_000_000, false));
}

#[test]
fn outside_of_its_hours_a_strategy_neither_enters_nor_quotes() {
    // The clock of these tests stands at 00:16:40.
    let rules = |window: &str| {
        format!(
            "active {window}
            enter long GO when true size 1 lots price market.last
            exit long BACK when market.last < 350_000 ticks
            quote Q when true bid market.last - 9 ticks size 1 lots"
        )
    };
    for (window, inside) in [
        ("@00:16:40..@00:17", true),
        ("@00:16..@00:16:40", false),
        ("@23:00..@00:16", false),
        ("@23:00..@00:17", true),
        ("@00:10..@00:05", true),
    ] {
        let mut desk = Desk::new(&rules(window));
        desk.trade(350_000);
        assert_eq!(desk.signals.len(), if inside { 2 } else { 0 }, "{window}");
    }
}
