//! The protective stops that execution keeps, order by order.

use model::event::{OrderDone, Payload, SessionEnd};
use model::id::Seq;
use model::num::Qty;
use model::order::DoneReason;

use super::*;

const BTC: InstrumentId = InstrumentId(0);

struct Desk {
    execution: Execution,
    seq: u64,
    out: Out,
}

impl Desk {
    fn new() -> Self {
        Self { execution: Execution::new(), seq: 0, out: Out::new() }
    }

    /// Passes an event of the seq at hand and appends what it puts out.
    fn tell<P: Payload>(&mut self, payload: &P) {
        let event =
            Event::new(Seq(self.seq), Nanos(i64::try_from(self.seq).unwrap()), BTC, payload);
        self.execution.step(&event, &mut self.out);
    }

    fn said(&mut self) -> Vec<String> {
        let text = |event: &Event| match event.body() {
            Body::OrderIntent(intent) => {
                format!("order {}{}", no(intent.order), if intent.exit { " exit" } else { "" })
            }
            Body::StopIntent(intent) => {
                let verb = if intent.moves { "move" } else { "stop" };
                format!("{verb} {} {} {}", no(intent.order), intent.trigger.0, intent.side.word())
            }
            Body::CancelIntent(cancel) => format!("cancel {}", no(cancel.order)),
            Body::Decision(decision) => format!("refused {}", decision.code.0),
            body => format!("{body:?}"),
        };
        let said = self.out.events().iter().map(text).collect();
        self.out.clear();
        said
    }

    /// An approved order of strategy 1, with or without a stop.
    fn order(&mut self, action: Action, side: Side, stop: Option<i64>) -> Vec<String> {
        self.seq += 1;
        let strategy = StrategyId(1);
        if let Some(stop) = stop {
            let terms =
                SignalTerms { stop: Price(stop), stopped: true, strategy, ..Default::default() };
            self.tell(&terms);
        }
        self.tell(&Signal { strategy, action, side, ..Signal::default() });
        self.tell(&Decision { strategy, qty: Qty(5), ..Decision::default() });
        self.said()
    }

    fn done(&mut self, order: OrderNo, reason: DoneReason) -> Vec<String> {
        self.seq += 1;
        self.tell(&OrderDone { order, reason, ..OrderDone::default() });
        self.said()
    }
}

fn no(order: OrderNo) -> String {
    let stop = if order.is_stop() { "s" } else { "" };
    format!("{stop}{}", order.seq().0)
}

fn order(seq: u64) -> OrderNo {
    OrderNo::new(Seq(seq), 0)
}

#[test]
fn one_stop_guards_all_that_a_strategy_opens_on_a_side() {
    let mut desk = Desk::new();
    assert_eq!(desk.order(Action::Enter, Side::Buy, Some(90)), ["order 1", "stop s1 90 sell"]);
    assert_eq!(desk.order(Action::Enter, Side::Buy, Some(95)), ["order 2", "move s1 95 sell"]);
    assert_eq!(desk.order(Action::Enter, Side::Buy, Some(95)), ["order 3"]);
    assert_eq!(desk.order(Action::Enter, Side::Buy, None), ["order 4"]);
    assert_eq!(
        desk.order(Action::Exit, Side::Sell, Some(80)),
        ["order 5 exit"],
        "an exit opens nothing"
    );
    assert_eq!(desk.order(Action::Enter, Side::Sell, Some(99)), ["order 6", "stop s6 99 buy"]);
    assert_eq!(desk.execution.stops(), 2);
}

#[test]
fn a_stop_that_left_something_is_renewed_and_one_that_is_done_is_forgotten() {
    let mut desk = Desk::new();
    desk.order(Action::Enter, Side::Buy, Some(90));
    assert_eq!(desk.done(order(1), DoneReason::Filled), [""; 0]);
    assert_eq!(desk.done(order(1).stop(), DoneReason::Expired), ["stop s3 90 sell"]);
    let renewed = OrderNo::new(Seq(3), 0x7FFF).stop();
    assert_eq!(desk.done(renewed, DoneReason::Filled), [""; 0]);
    assert_eq!(desk.execution.stops(), 0);
    // While an order that opens is on its way, what it will fill is guarded too.
    desk.order(Action::Enter, Side::Buy, Some(90));
    assert_eq!(desk.done(order(5).stop(), DoneReason::Filled), ["stop s6 90 sell"]);
    desk.done(order(5), DoneReason::Rejected);
    assert_eq!(desk.done(OrderNo::new(Seq(6), 0x7FFF).stop(), DoneReason::Cancelled), [""; 0]);
    assert_eq!(desk.execution.stops(), 0);
}

#[test]
fn the_end_of_a_session_cancels_stops_for_good() {
    let mut desk = Desk::new();
    desk.order(Action::Enter, Side::Buy, Some(90));
    desk.seq += 1;
    desk.tell(&SessionEnd::default());
    assert_eq!(desk.said(), ["cancel 1", "cancel s1"]);
    assert_eq!(desk.done(order(1).stop(), DoneReason::Cancelled), [""; 0]);
    assert_eq!(desk.execution.stops(), 0);
}

#[test]
fn an_order_whose_stop_nobody_can_keep_is_refused() {
    let mut desk = Desk::new();
    for strategy in 0..crate::limits::STOPS_MAX {
        desk.seq += 1;
        let strategy = StrategyId(u16::try_from(strategy + 2).unwrap());
        let terms = SignalTerms { stop: Price(9), stopped: true, strategy, ..Default::default() };
        desk.tell(&terms);
        desk.tell(&Signal { strategy, ..Signal::default() });
        desk.tell(&Decision { strategy, ..Decision::default() });
    }
    desk.said();
    assert_eq!(desk.order(Action::Enter, Side::Buy, Some(90)), ["refused 9"]);
    assert_eq!(desk.order(Action::Enter, Side::Buy, None).len(), 1);
}

#[test]
fn an_image_holds_the_stops() {
    let mut desk = Desk::new();
    desk.order(Action::Enter, Side::Buy, Some(90));
    let mut out = ImageWriter::default();
    desk.execution.save(&mut out);
    let bytes = out.finish();
    let mut loaded = Execution::new();
    let mut reader = ImageReader::new(&bytes);
    assert_eq!(loaded.load(&mut reader), Ok(()));
    assert_eq!((reader.finish(), &loaded), (Ok(()), &desk.execution));
}
