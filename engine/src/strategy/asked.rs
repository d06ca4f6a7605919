//! Orders that somebody asks for on behalf of a strategy: they become signals, and are judged as
//! those of its rules are. Its own instance does not work them, so what they fill is in the
//! strategy's books and not in what its rules see as their position.

use model::event::{Event, OrderAsked, Signal, SignalTerms};
use model::order::Action;

use crate::stage::Out;

/// Stands for a rule where no rule asked.
const NO_RULE: u16 = u16::MAX;

/// Sends the signal of what is asked, behind its terms if it has a stop.
pub(super) fn send(event: &Event, asked: &OrderAsked, ordinal: &mut u16, out: &mut Out) {
    let OrderAsked { price, qty, ttl_ns, strategy, action, side, tif, post_only, .. } = *asked;
    let Event { seq, ts, instrument, .. } = *event;
    let own = *ordinal;
    if matches!(action, Action::Enter | Action::Exit) {
        *ordinal = ordinal.saturating_add(1);
    }
    if asked.stopped {
        let stop = asked.stop;
        let terms =
            SignalTerms { stop, stopped: true, strategy, ordinal: own, ..SignalTerms::default() };
        out.push(Event::new(seq, ts, instrument, &terms));
    }
    let signal = Signal {
        price,
        qty,
        ttl_ns,
        strategy,
        rule: NO_RULE,
        ordinal: own,
        action,
        side,
        tif,
        priced: true,
        protected: false,
        post_only,
    };
    out.push(Event::new(seq, ts, instrument, &signal));
}
