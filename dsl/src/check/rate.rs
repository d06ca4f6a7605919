//! Types cooldowns and throttles.

use crate::ast::{self, Statement, StatementKind};
use crate::diagnostics::Diagnostic;
use crate::typed::{Cooldown, Expr, Key, Occasion, Stream, Throttle, Unit};

use super::expr::{Place, Typing};
use super::memory::occasion;

impl Typing<'_, '_> {
    /// `cooldown CODE d after event by scope when ... unless ...`
    pub(super) fn cooldown(&mut self, statement: &Statement) -> Option<Cooldown> {
        let StatementKind::Cooldown { code, length, after, by, filter } = &statement.kind else {
            return None;
        };
        let rule = self.rule_name(code, &statement.doc, None, statement.span);
        let length = self.expect(length, &Unit::Duration, "the length of a cooldown");
        let (after, _) = occasion(after, self.scope.owner, self.diagnostics)?;
        let when = self.on(after, filter.when.as_ref());
        let unless = self.optional(filter.unless.as_ref());
        let by = self.key(by.as_ref(), after == Occasion::Timer)?;
        Some(Cooldown { rule, length: length?, after, by, when: when.ok()?, unless: unless.ok()? })
    }

    /// `throttle CODE flow to n per d by scope burst b until ... when ... unless ...`
    pub(super) fn throttle(&mut self, statement: &Statement) -> Option<Throttle> {
        let StatementKind::Throttle { code, flow, bound, per, by, burst, end, filter } =
            &statement.kind
        else {
            return None;
        };
        let rule = self.rule_name(code, &statement.doc, None, statement.span);
        let flow = Stream::named(&flow.text)?;
        let limit = self.expect(bound, &Unit::Int, "the limit of a throttle");
        let per = match per {
            Some(per) => Some(self.constant_of(per, &Unit::Duration)?),
            None => None,
        };
        let burst_at = burst.as_ref().map(|burst| burst.span);
        let burst = match burst {
            Some(burst) => Some(self.expect(burst, &Unit::Int, "a burst")?),
            None => None,
        };
        let is_sent = matches!(flow, Stream::Orders | Stream::Messages);
        if let Some(span) = burst_at.filter(|_| !is_sent || per.is_none()) {
            let message = "a burst is of orders or messages in a time";
            let fault = Diagnostic::error("R0326", span, message);
            return self.fail(fault.help("remove `burst`, or write `orders to 10 per 1s`"));
        }
        let end = match end {
            Some(end) => Some(self.end_of(end)?),
            None => None,
        };
        let occasion = match flow {
            Stream::Orders | Stream::Messages => Occasion::Order,
            Stream::Fills => Occasion::Fill,
            Stream::Cancels => Occasion::Cancel,
            Stream::Rejects => Occasion::Reject,
            Stream::Closed => Occasion::Closed,
        };
        let when = self.on(occasion, filter.when.as_ref());
        let unless = self.optional(filter.unless.as_ref());
        let by = self.key(by.as_ref(), false)?;
        Some(Throttle {
            rule,
            flow,
            limit: limit?,
            per,
            by,
            burst,
            end,
            when: when.ok()?,
            unless: unless.ok()?,
        })
    }

    /// What is read on an event: which of them count.
    fn on(
        &mut self,
        occasion: Occasion,
        when: Option<&ast::Expr>,
    ) -> Result<Option<Expr>, super::risk::Reported> {
        let outer = std::mem::replace(&mut self.place, Place::On(occasion));
        let typed = self.optional(when);
        self.place = outer;
        typed
    }

    /// The scope behind `by`; a timer is of nothing.
    fn key(&mut self, by: Option<&ast::Name>, whole: bool) -> Option<Key> {
        let Some(by) = by else { return Some(Key::Block) };
        if whole {
            let fault = Diagnostic::error("R0326", by.span, "a timer is of no symbol and no side");
            return self.fail(fault.help("remove `by`"));
        }
        Key::named(&by.text)
    }
}
