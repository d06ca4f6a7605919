//! The state image of feed: everything that the next record depends on.
//!
//! Taken between messages, so the batch is empty. What the setup decides (instruments, openings,
//! which books exist) is not in it: an image is read back into a feed of the same session.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{OrderDone, Quote};
use model::id::{InstrumentId, Seq};
use model::num::Qty;
use model::time::Date;

use super::Feed;
use crate::limits::OPEN_ORDERS_MAX;

/// Version of the image.
const IMAGE_VERSION: u32 = 2;

pub(super) fn save_quote(quote: &Quote, out: &mut ImageWriter) {
    out.put(quote.bid);
    out.put(quote.ask);
    out.put(quote.bid_qty);
    out.put(quote.ask_qty);
    out.put(quote.update_id);
}

pub(super) fn load_quote(from: &mut ImageReader<'_>) -> Result<Quote, ImageError> {
    Ok(Quote {
        bid: from.take()?,
        ask: from.take()?,
        bid_qty: from.take()?,
        ask_qty: from.take()?,
        update_id: from.take()?,
    })
}

impl Image for Feed {
    fn save(&self, out: &mut ImageWriter) {
        out.put(IMAGE_VERSION);
        out.put(self.seq.0);
        out.put(self.ts);
        out.put_option(self.day.map(|day| day.0));
        for book in &self.books {
            book.save(out);
        }
        for role in &self.roles {
            save_quote(&role.touch, out);
        }
        for check in &self.checks {
            check.save(out);
        }
        self.bars.save(out);
        out.put_option(self.timer);
        out.put_len(self.refused.len());
        for (instrument, done) in &self.refused {
            out.put(instrument.0);
            out.put(done.order);
            out.put(done.filled);
            out.put(done.code);
            out.put(done.reason);
        }
        out.put(self.counts.inputs);
        out.put(self.counts.fills);
        out.put(self.counts.bad);
        self.paper.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(IMAGE_VERSION)?;
        self.batch.clear();
        self.seq = Seq(from.take()?);
        self.ts = from.take()?;
        self.day = None;
        if let Some(date) = from.take_option()? {
            self.open_day(Date(date));
        }
        for book in &mut self.books {
            book.load(from)?;
        }
        for role in &mut self.roles {
            role.touch = load_quote(from)?;
        }
        for check in &mut self.checks {
            check.load(from)?;
        }
        self.bars.load(from)?;
        self.timer = from.take_option()?;
        self.refused.clear();
        for _ in 0..from.take_len(OPEN_ORDERS_MAX)? {
            let instrument = InstrumentId(from.take()?);
            let (order, filled): (_, Qty) = (from.take()?, from.take()?);
            let done = OrderDone { order, filled, code: from.take()?, reason: from.take()? };
            self.refused.push((instrument, done));
        }
        self.counts.inputs = from.take()?;
        self.counts.fills = from.take()?;
        self.counts.bad = from.take()?;
        self.paper.load(from)
    }
}
