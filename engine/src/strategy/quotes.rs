//! Legs of quotes: one order at a time for each side of each quote.
//!
//! A leg works while its quote's condition holds. When `replace` becomes true it is cancelled, and
//! the next trigger after its end sends the new one: both at once would stand double. What an exit
//! is closing is not quoted up again.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::event::Signal;
use model::id::OrderNo;
use model::num::Price;
use model::order::{Action, Side, TimeInForce};

use super::desk::Desk;
use super::instance::Instance;

/// The order of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leg {
    /// The working order.
    pub(super) order: Option<OrderNo>,
    /// Its price.
    pub(super) price: Price,
    /// Its cancel has been asked for.
    pub(super) withdrawn: bool,
}

impl Leg {
    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.order);
        out.put(self.price);
        out.put(self.withdrawn);
    }

    pub(super) fn load(from: &mut ImageReader<'_>) -> Result<Self, ImageError> {
        Ok(Self { order: from.take_option()?, price: from.take()?, withdrawn: from.take()? })
    }
}

/// Returns the place of a leg.
fn place(quote: usize, side: Side) -> usize {
    quote.saturating_mul(2).saturating_add(usize::from(side == Side::Sell))
}

/// Returns the quote and the side of a leg's place.
fn leg_at(place: usize) -> (usize, Side) {
    (place >> 1, if place & 1 == 0 { Side::Buy } else { Side::Sell })
}

impl Desk<'_> {
    /// Works the legs of a quote while it is `wanted`. Returns how many could not be asked for.
    pub(super) fn quote(&mut self, instance: &mut Instance, quote: usize, wanted: bool) -> u64 {
        let replaces = wanted && instance.code.replaces(quote, &instance.registers);
        let mut ignored = 0_u64;
        for side in [Side::Buy, Side::Sell] {
            let at = place(quote, side);
            let Some(leg) = instance.legs.get(at).copied() else { continue };
            if leg.order.is_some() {
                if !wanted || replaces {
                    self.withdraw_leg(instance, at);
                }
            } else if wanted && !self.is_closing(instance, side) {
                match self.leg(instance, quote, side) {
                    None => {}
                    Some(Some(signal)) => {
                        let order = self.send(signal, None);
                        if let Some(leg) = instance.legs.get_mut(at) {
                            let price = signal.price;
                            *leg = Leg { order: Some(order), price, withdrawn: false };
                        }
                    }
                    Some(None) => ignored = ignored.saturating_add(1),
                }
            }
        }
        ignored
    }

    /// Tells whether an exit is closing what an order of that side would open.
    fn is_closing(&self, instance: &Instance, side: Side) -> bool {
        let held = !instance.is_flat(self.instrument, self.market);
        let long = instance.ledger.qty.0 > 0;
        let opens = held && long == (side == Side::Buy);
        opens && instance.exit.is_some_and(|exit| !exit.is_done())
    }

    /// Returns what a leg asks for: none when the quote has no such leg, and nothing inside when a
    /// term is not known.
    #[expect(clippy::option_option, reason = "no leg, and a leg that cannot be asked for")]
    fn leg(&self, instance: &Instance, quote: usize, side: Side) -> Option<Option<Signal>> {
        let terms = instance.code.leg(quote, side, &instance.registers)?;
        let code = instance.code.quotes().get(quote)?;
        let signal = || {
            let price = Price(i64::try_from(terms.price?.number()?).ok()?);
            let ttl_ns = i64::try_from(terms.ttl_ns.number()?).ok()?;
            if price.0 <= 0 || code.has_ttl && ttl_ns <= 0 {
                return None;
            }
            let rule = instance.code.rules().len().saturating_add(quote);
            let signal = Signal {
                price,
                ttl_ns,
                strategy: instance.strategy,
                rule: instance.rule_base.saturating_add(u16::try_from(rule).ok()?),
                action: Action::Quote,
                side,
                tif: TimeInForce::Gtc,
                priced: true,
                post_only: code.post_only,
                ..Signal::default()
            };
            let qty = self.size(&terms, &signal).filter(|qty| qty.0 > 0)?;
            Some(Signal { qty, ..signal })
        };
        Some(signal())
    }

    /// Cancels the working order of a leg, once.
    fn withdraw_leg(&mut self, instance: &mut Instance, at: usize) {
        let Some(leg) = instance.legs.get_mut(at).filter(|leg| !leg.withdrawn) else { return };
        if leg.order.is_none() {
            return;
        }
        leg.withdrawn = true;
        let (quote, side) = leg_at(at);
        let rule = instance.code.rules().len().saturating_add(quote);
        let rule = instance.rule_base.saturating_add(u16::try_from(rule).unwrap_or(u16::MAX));
        let strategy = instance.strategy;
        let action = Action::CancelQuote;
        self.tell(&Signal { strategy, rule, side, action, ..Signal::default() });
    }

    /// Cancels the working legs of one side, or all.
    pub(super) fn withdraw_legs(&mut self, instance: &mut Instance, only: Option<Side>) {
        for at in 0..instance.legs.len() {
            let (_, side) = leg_at(at);
            if only.is_none_or(|only| only == side) {
                self.withdraw_leg(instance, at);
            }
        }
    }
}

impl Instance {
    /// Tells whether a leg of that side still works.
    pub(super) fn quotes_on(&self, wanted: Side) -> bool {
        let mut legs = self.legs.iter().enumerate();
        legs.any(|(at, leg)| leg.order.is_some() && leg_at(at).1 == wanted)
    }

    /// Returns the best price that is quoted on a side.
    pub(super) fn quoted(&self, wanted: Side) -> Option<Price> {
        let legs =
            self.legs.iter().enumerate().filter(|(at, leg)| {
                leg.order.is_some() && !leg.withdrawn && leg_at(*at).1 == wanted
            });
        let prices = legs.map(|(_, leg)| leg.price);
        match wanted {
            Side::Buy => prices.max(),
            Side::Sell => prices.min(),
        }
    }
}
