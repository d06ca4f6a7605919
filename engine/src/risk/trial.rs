//! What a test of a rules file needs of the stage beyond events: facts that are stated anew, a
//! position to begin with, an order that nothing asked about.

use model::event::{Event, Timer};
use model::id::{AssetId, InstrumentId, NO_INSTRUMENT, Seq};
use model::num::{Money, Price};
use model::order::Side;

use super::given::Given;
use super::{Risk, Standing};
use crate::portfolio::at;
use crate::portfolio::open::OpenOrder;
use crate::portfolio::position::Position;
use crate::stage::Out;

impl<G: Given> Risk<G> {
    /// States facts anew: they hold from the next event on.
    pub(crate) fn restate(&mut self, given: G) {
        self.outside.given = given;
    }

    /// Begins with a position.
    pub(crate) fn adopt(&mut self, instrument: InstrumentId, position: Position) {
        self.portfolio.adopt(instrument, position);
    }

    /// Takes an order as open that nothing was asked about; false when there are too many.
    pub(crate) fn admit(&mut self, order: OpenOrder) -> bool {
        self.portfolio.approve(order, (AssetId(0), Money::ZERO), Money::ZERO)
    }

    /// Returns the bound of an `at_market` order right now.
    pub(crate) fn protected_price(&self, id: InstrumentId, side: Side) -> Option<Price> {
        let (market, instrument) = (at(&self.markets, id)?, at(&self.instruments, id)?);
        let band = i128::from(instrument.protect.0);
        market.protected_price(instrument, side, band, market.mark(self.now))
    }

    /// Judges the latches as they are now and returns what they allow.
    pub(crate) fn standing_now(&mut self) -> Standing {
        let event = Event::new(Seq(0), self.now, NO_INSTRUMENT, &Timer::default());
        self.changed(&event, &mut Out::new());
        self.latches.standing_of_all()
    }
}
