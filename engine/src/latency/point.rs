//! The points that a message passes and the intervals between them, named once: histograms, logs,
//! objectives and documents use these names.

/// A moment in the way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Point {
    /// The venue's event time. Stamped by connections to venues, of which this version has none.
    T0,
    /// The kernel has received it. As t0.
    T1,
    /// We have its last byte: `Driver::turn`, when the message is at hand; with an open loop the
    /// moment at which its schedule releases it.
    T2,
    /// It is parsed: `Driver::turn`, when the source has handed it over. Recorded files are parsed
    /// ahead, so between t2 and t3 is what is left of reading.
    T3,
    /// It has its seq: `Pipeline::pass`, before the first stage sees it.
    T4,
    /// A rule asks for an order: the strategy's station, behind the step.
    T5,
    /// The order has its verdict: the risk station, behind the step.
    T6,
    /// The intent is in the journal, in the mode in force: the egress, when the gate lets it.
    T7,
    /// The gate is open: the egress, once it knows that the journal is whole.
    T8,
    /// The write of the order has returned: the egress. The simulated venue's write is the record
    /// of the order and its way back to feed.
    T9,
    /// An ack or a reject has come. The simulated venue's comes in the market's time, which this
    /// does not measure.
    T10,
    /// Nothing is left to be done of the message: `Pipeline::pass`, at its end.
    Done,
}

/// The station that stamps the last point of an interval, and so records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// Feed and the loop around it.
    Feed,
    /// Strategy.
    Strategy,
    /// Risk.
    Risk,
    /// Execution, the gate and the egress.
    Egress,
}

/// A time between two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Interval {
    /// From the venue to us.
    FeedDelay,
    /// To the seq.
    WireToFeed,
    /// To the signal.
    TickToSignal,
    /// To the verdict.
    TickToDecision,
    /// To the journaled intent.
    TickToIntent,
    /// To the order's way out.
    TickToWire,
    /// From the order's way out to the venue's answer.
    OrderAck,
    /// At the gate.
    GateWait,
    /// From the signal to the order's way out.
    SignalToOrder,
    /// The whole of a message of which nothing followed.
    TickQuiet,
    /// The feed stage.
    FeedStage,
    /// The strategy stage.
    StrategyStage,
    /// The risk stage.
    RiskStage,
    /// What the egress does behind the gate.
    EgressStage,
}

/// What an interval is.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// The interval.
    pub interval: Interval,
    /// Its name everywhere.
    pub name: &'static str,
    /// Where it begins.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
    /// Who records it.
    pub station: Station,
    /// What it tells.
    pub means: &'static str,
}

const fn row(
    interval: Interval,
    name: &'static str,
    from: Point,
    to: Point,
    station: Station,
    means: &'static str,
) -> Described {
    Described { interval, name, from, to, station, means }
}

/// All intervals, in the order of [`Interval`].
pub const INTERVALS: [Described; 14] = {
    use Interval as I;
    use Point::{Done, T0, T2, T3, T4, T5, T6, T7, T8, T9, T10};
    use Station::{Egress, Feed, Risk, Strategy};
    [
        row(I::FeedDelay, "feed_delay", T0, T2, Feed, "from the venue to us"),
        row(I::WireToFeed, "wire_to_feed", T2, T4, Feed, "from receipt to the seq"),
        row(I::TickToSignal, "tick_to_signal", T2, T5, Strategy, "from receipt to a signal"),
        row(I::TickToDecision, "tick_to_decision", T2, T6, Risk, "from receipt to a verdict"),
        row(
            I::TickToIntent,
            "tick_to_intent",
            T2,
            T7,
            Egress,
            "from receipt to a journaled intent",
        ),
        row(I::TickToWire, "tick_to_wire", T2, T9, Egress, "from receipt to an order sent"),
        row(I::OrderAck, "order_ack", T9, T10, Feed, "from an order sent to the venue's answer"),
        row(I::GateWait, "gate_wait", T6, T8, Egress, "from a verdict to the open gate"),
        row(I::SignalToOrder, "signal_to_order", T5, T9, Egress, "from a signal to an order sent"),
        row(I::TickQuiet, "tick_quiet", T2, Done, Feed, "ticks of which nothing followed"),
        row(I::FeedStage, "feed", T3, T4, Feed, "the feed stage"),
        row(I::StrategyStage, "strategy", T4, T5, Strategy, "the strategy stage, when it signals"),
        row(I::RiskStage, "risk", T5, T6, Risk, "the risk stage, when it judges"),
        row(I::EgressStage, "egress", T8, T9, Egress, "the order's way out"),
    ]
};

impl Interval {
    /// Returns what the interval is.
    #[must_use]
    pub fn described(self) -> &'static Described {
        // The table has a row for each, in order: a test looks.
        INTERVALS.get(self as usize).unwrap_or(&INTERVALS[0])
    }

    /// Returns the interval's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.described().name
    }

    /// Returns the interval with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        INTERVALS.iter().find(|row| row.name == name).map(|row| row.interval)
    }
}
