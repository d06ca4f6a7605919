//! Random markets and orders against what must always hold: nothing is traded twice, no order fills
//! beyond its quantity or limit, reports come in their order, and an image holds the whole state.

use std::collections::BTreeMap;

use model::event::Fill;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

/// One step: pause, instrument, what, price step, quantity, side, immediate or not.
type Step = (i64, u32, u8, i64, i64, bool, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![8 => 1_i64..20, 1 => Just(600_000_000_i64)];
    let step = (pause, 0_u32..2, 0_u8..20, 0_i64..8, 0_i64..25, any::<bool>(), any::<bool>());
    prop::collection::vec(step, 1..150)
}

fn carries() -> impl Strategy<Value = Carried> {
    prop_oneof![Just(BOOK), Just(QUOTES), Just(TRADES), Just(BARS)]
}

fn latencies() -> impl Strategy<Value = (i64, i64)> {
    (prop_oneof![Just(0_i64), 1..40_i64], prop_oneof![Just(0_i64), 1..40_i64])
}

/// What the venue did at one moment, and the numbers of the fills it made of it.
struct Act {
    /// The market event; `None` for an arrival or an end of waiting.
    event: Option<Event>,
    fills: std::ops::RangeInclusive<u32>,
}

/// A rig that remembers who caused which fill.
struct Run {
    rig: Rig,
    carries: [Carried; 2],
    latencies: (i64, i64),
    now: i64,
    orders: BTreeMap<OrderNo, (i64, OrderSent)>,
    acts: Vec<Act>,
}

impl Run {
    fn new(carries: [Carried; 2], latencies: (i64, i64)) -> Self {
        let rig = Rig::new(&[instrument(), instrument()], &carries, latencies);
        Self { rig, carries, latencies, now: 0, orders: BTreeMap::new(), acts: Vec::new() }
    }

    fn note(&mut self, before: u32, event: Option<Event>) {
        let fills = before + 1..=self.rig.paper.desk.last_trade();
        self.acts.push(Act { event, fills });
    }

    fn settle(&mut self, ts: i64) {
        while let Some(due) = self.rig.paper.next_due().filter(|due| due.0 < ts) {
            let before = self.rig.paper.desk.last_trade();
            if let Some((instrument, body)) = self.rig.paper.advance(&self.rig.books) {
                self.rig.reports.push((due.0, instrument, body));
            }
            self.note(before, None);
        }
    }

    fn market<P: Payload>(&mut self, instrument: u32, payload: &P) {
        self.settle(self.now);
        let before = self.rig.paper.desk.last_trade();
        self.rig.market(self.now, instrument, payload);
        let event = Event::new(Seq(0), Nanos(self.now), InstrumentId(instrument), payload);
        self.note(before, Some(event));
    }

    fn send<P: Payload>(&mut self, instrument: u32, payload: &P) {
        self.settle(self.now);
        self.rig.send(self.now, instrument, payload);
    }

    fn step(&mut self, step: &Step) {
        let (pause, instrument, what, price, qty, is_buy, ioc) = *step;
        self.now += pause;
        let (price, qty) = (Price(1_000 + 10 * price), Qty(qty));
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let at = usize::try_from(instrument).unwrap();
        match what {
            0..7 => {
                let order = order_no(i64::try_from(self.orders.len()).unwrap() + 1);
                let tif = if ioc { TimeInForce::Ioc } else { TimeInForce::Gtc };
                let sent = OrderSent { order, price, qty, side, tif, ..OrderSent::default() };
                self.orders.insert(order, (self.now, sent));
                self.send(instrument, &sent);
            }
            7 => {
                let order = order_no(qty.0 + 1);
                self.send(instrument, &CancelSent { order });
            }
            8..12 if self.carries[at].trades => {
                self.market(instrument, &Trade { price, qty, taker: side, ..Trade::default() });
            }
            12 if self.carries[at].book => {
                let status = if ioc { FeedStatus::Synced } else { FeedStatus::Gap };
                self.market(instrument, &FeedState { status, ..FeedState::default() });
                self.market(instrument, &BookClear::default());
            }
            _ if self.carries[at].book => {
                self.market(instrument, &BookLevel { price, qty, side, ..BookLevel::default() });
            }
            _ if self.carries[at].quotes => {
                let ask = Price(price.0 + 10);
                let (bid_qty, ask_qty) = (qty, Qty(if ioc { 7 } else { 20 - qty.0.min(20) }));
                let quote = Quote { bid: price, ask, bid_qty, ask_qty, update_id: 0 };
                self.market(instrument, &quote);
            }
            _ if self.carries[at].trades => {
                self.market(instrument, &Trade { price, qty, taker: side, ..Trade::default() });
            }
            _ => self.bar(instrument, price, qty, is_buy),
        }
    }

    fn bar(&mut self, instrument: u32, open: Price, qty: Qty, wide: bool) {
        let length_ns = BAR_NS;
        self.market(instrument, &BarExtra { length_ns, ..BarExtra::default() });
        let range = if wide { 40 } else { 10 };
        let (high, low) = (Price(open.0 + range), Price(open.0 - range));
        self.market(instrument, &Bar { open, high, low, close: open, volume: Qty(qty.0 * 19) });
    }

    /// Cancels everything and lets the last reports come.
    fn finish(&mut self) {
        self.now += 1;
        for order in self.orders.keys().copied().collect::<Vec<_>>() {
            self.send(0, &CancelSent { order });
        }
        self.settle(i64::MAX);
        assert_eq!((self.rig.paper.open_orders(), self.rig.paper.next_due()), (0, None));
    }

    fn fills(&self) -> BTreeMap<u32, (u32, Fill)> {
        let fill = |(_, instrument, body): &(i64, InstrumentId, Body)| {
            if let Body::Fill(fill) = body {
                Some((fill.trade, (instrument.0, *fill)))
            } else {
                None
            }
        };
        self.rig.reports.iter().filter_map(fill).collect()
    }
}

fn run(carries: [Carried; 2], latencies: (i64, i64), steps: &[Step]) -> Run {
    let mut run = Run::new(carries, latencies);
    let rooms = run.rig.paper.desk.rooms();
    steps.iter().for_each(|step| run.step(step));
    run.finish();
    assert_eq!(run.rig.paper.desk.rooms(), rooms, "room was taken after the start");
    run
}

/// A displayed level: what it shows, and what we took since it was updated.
#[derive(Clone, Copy, Default)]
struct Shown {
    qty: i64,
    taken: i64,
}

/// Displayed levels by instrument, side and price, told by events alone.
type Display = BTreeMap<(u32, Side, i64), Shown>;

fn show(display: &mut Display, instrument: u32, event: &Event) {
    if let Body::BookLevel(level) = event.body() {
        let shown = Shown { qty: level.qty.0, taken: 0 };
        display.insert((instrument, level.side, level.price.0), shown);
    } else if let Body::BookClear(_) = event.body() {
        display.retain(|key, _| key.0 != instrument);
    } else if let Body::Quote(quote) = event.body() {
        let sides = [(Side::Buy, quote.bid, quote.bid_qty), (Side::Sell, quote.ask, quote.ask_qty)];
        for (side, price, qty) in sides {
            let key = (instrument, side, price.0);
            if display.get(&key).is_none_or(|shown| shown.qty != qty.0) {
                display.retain(|(id, on, _), _| (*id, *on) != (instrument, side));
                display.insert(key, Shown { qty: qty.0, taken: 0 });
            }
        }
    }
}

/// Takes from a displayed level: never more than it shows.
fn take(display: &mut Display, key: (u32, Side, i64), qty: i64) {
    let shown = display.get_mut(&key).unwrap_or_else(|| panic!("{key:?} is not displayed"));
    shown.taken += qty;
    assert!(shown.taken <= shown.qty, "{key:?} shows {} and gave {}", shown.qty, shown.taken);
}

/// Checks that no act gave more than there was. Returns how many fills each kind of act made:
/// arrivals, trades, bars, updates.
fn check_conservation(run: &Run) -> [usize; 4] {
    let fills = run.fills();
    let mut display = Display::new();
    let mut counts = [0; 4];
    for act in &run.acts {
        let made: Vec<(u32, Fill)> = act.fills.clone().map(|trade| fills[&trade]).collect();
        let total: i64 = made.iter().map(|(_, fill)| fill.qty.0).sum();
        let Some(event) = &act.event else {
            for (instrument, fill) in &made {
                take(&mut display, (*instrument, fill.side.opposite(), fill.price.0), fill.qty.0);
            }
            counts[0] += made.len();
            continue;
        };
        let instrument = event.instrument.0;
        assert!(made.iter().all(|(of, _)| *of == instrument));
        show(&mut display, instrument, event);
        if let Body::Trade(trade) = event.body() {
            assert!(total <= trade.qty.0, "a trade of {} filled {total}", trade.qty.0);
            counts[1] += made.len();
        } else if let Body::Bar(bar) = event.body() {
            assert!(10 * total <= bar.volume.0, "a bar of {} filled {total}", bar.volume.0);
            counts[2] += made.len();
        } else if let Body::BookLevel(level) = event.body() {
            take(&mut display, (instrument, level.side, level.price.0), total);
            assert!(made.iter().all(|(_, fill)| fill.side == level.side.opposite()));
            counts[3] += made.len();
        } else if let Body::Quote(quote) = event.body() {
            for (_, fill) in &made {
                let price = if fill.side == Side::Buy { quote.ask } else { quote.bid };
                take(&mut display, (instrument, fill.side.opposite(), price.0), fill.qty.0);
            }
            counts[3] += made.len();
        } else {
            assert_eq!(total, 0, "{event:?} fills nothing");
        }
    }
    counts
}

/// Checks each order's reports: acknowledged, filled within limit and quantity, ended once.
fn check_reports(run: &Run) {
    let wait = run.latencies.0 + run.latencies.1;
    let mut filled: BTreeMap<OrderNo, i64> = BTreeMap::new();
    let mut ended: BTreeMap<OrderNo, DoneReason> = BTreeMap::new();
    let mut last = (i64::MIN, 0);
    for (ts, _, body) in &run.rig.reports {
        assert!(*ts >= last.0, "reports come in order");
        last.0 = *ts;
        if let Body::OrderAck(ack) = body {
            assert_eq!(filled.insert(ack.order, 0), None);
            assert_eq!(*ts, run.orders[&ack.order].0 + wait);
        } else if let Body::Fill(fill) = body {
            let order = &run.orders[&fill.order].1;
            assert!(!ended.contains_key(&fill.order) && fill.qty.0 > 0);
            assert_eq!(fill.trade, last.1 + 1, "fills are numbered without gaps");
            last.1 = fill.trade;
            let within = match order.side {
                Side::Buy => fill.price <= order.price,
                Side::Sell => fill.price >= order.price,
            };
            assert!(within && fill.side == order.side && fill.fee % 10 == 0);
            let so_far = filled.get_mut(&fill.order).unwrap();
            *so_far += fill.qty.0;
            assert!(*so_far <= order.qty.0);
        } else if let Body::OrderDone(done) = body {
            let sum = filled.get(&done.order).copied();
            assert_eq!(sum.unwrap_or(0), done.filled.0);
            assert_eq!(sum.is_none(), done.reason == DoneReason::Rejected);
            let whole = done.filled == run.orders[&done.order].1.qty;
            assert_eq!(whole && sum.is_some(), done.reason == DoneReason::Filled);
            assert_eq!(ended.insert(done.order, done.reason), None);
        }
    }
    assert_eq!(ended.len(), run.orders.len(), "each order ends");
}

fn image(paper: &Paper) -> Vec<u8> {
    let mut out = ImageWriter::default();
    paper.save(&mut out);
    out.finish()
}

fn load(paper: &mut Paper, bytes: &[u8]) -> Result<(), ImageError> {
    let mut from = ImageReader::new(bytes);
    paper.load(&mut from)?;
    from.finish()
}

proptest! {
    #[test]
    fn nothing_is_traded_twice(
        a in carries(), b in carries(), latencies in latencies(), steps in steps(),
    ) {
        let run = run([a, b], latencies, &steps);
        check_conservation(&run);
        check_reports(&run);
    }

    #[test]
    fn an_image_holds_the_whole_state(
        a in carries(), b in carries(), latencies in latencies(), steps in steps(),
        cut in 0_usize..150,
    ) {
        let whole = run([a, b], latencies, &steps);
        let mut resumed = Run::new([a, b], latencies);
        let (before, after) = steps.split_at(cut.min(steps.len()));
        before.iter().for_each(|step| resumed.step(step));
        let saved = image(&resumed.rig.paper);
        let mut fresh = Run::new([a, b], latencies).rig.paper;
        prop_assert_eq!(load(&mut fresh, &saved), Ok(()));
        prop_assert_eq!(&fresh, &resumed.rig.paper);
        prop_assert_eq!(image(&fresh), saved);
        resumed.rig.paper = fresh;
        after.iter().for_each(|step| resumed.step(step));
        resumed.finish();
        prop_assert_eq!(&resumed.rig.reports, &whole.rig.reports);
        prop_assert_eq!(&resumed.rig.paper, &whole.rig.paper);
    }

    #[test]
    fn a_damaged_image_is_refused_or_read_but_never_a_panic(
        a in carries(), steps in steps(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut run = Run::new([a, BOOK], (30, 30));
        steps.iter().for_each(|step| run.step(step));
        let mut saved = image(&run.rig.paper);
        let at = at.index(saved.len());
        let mut fresh = Run::new([a, BOOK], (30, 30)).rig.paper;
        prop_assert!(load(&mut fresh, saved.get(..at).unwrap_or(&[])).is_err());
        saved[at] = byte;
        if load(&mut fresh, &saved).is_ok() {
            prop_assert_eq!(image(&fresh).len(), saved.len());
        }
    }
}

#[test]
fn the_random_runs_reach_every_kind_of_fill() {
    let mut runner = TestRunner::deterministic();
    let strategy = (carries(), carries(), latencies(), steps());
    let mut counts = [0; 4];
    for _ in 0..200 {
        let (a, b, latencies, steps) = strategy.new_tree(&mut runner).unwrap().current();
        let run = run([a, b], latencies, &steps);
        let made = check_conservation(&run);
        counts.iter_mut().zip(made).for_each(|(count, made)| *count += made);
    }
    assert!(counts.iter().all(|count| *count >= 100), "{counts:?}");
}
