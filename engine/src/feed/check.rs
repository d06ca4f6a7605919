//! Best levels of the book against the venue's own best prices, by update id (decisions.md 17).
//!
//! A best-price message that is ahead of the book is held until the book reaches its update id. One
//! that the book has passed, or that falls between two ids of the book, cannot be compared.

use model::book::Book;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::Quote;
use model::order::Side;

use super::image::{load_quote, save_quote};

/// LIMIT: best-price messages that wait for one book. Recorded captures need 281; beyond the limit
/// the oldest is given up and stays uncompared.
const WAITING_MAX: usize = 1_024;

/// The check of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteCheck {
    active: bool,
    /// Update id of the book; 0 without one.
    book_id: u64,
    waiting: Vec<Quote>,
    compared: u64,
    unequal: u64,
}

impl QuoteCheck {
    /// Returns a check; an inactive one counts nothing.
    #[must_use]
    pub fn new(active: bool) -> Self {
        let waiting = Vec::with_capacity(if active { WAITING_MAX } else { 0 });
        Self { active, book_id: 0, waiting, compared: 0, unequal: 0 }
    }

    /// Sets the counts to nothing.
    pub(super) fn count_anew(&mut self) {
        (self.compared, self.unequal) = (0, 0);
    }

    /// Returns compared and unequal best prices.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.compared, self.unequal)
    }

    /// Notes the book's update id.
    #[inline]
    pub fn book_at(&mut self, update_id: u64) {
        self.book_id = update_id;
    }

    /// Takes a best-price message.
    #[inline]
    pub fn quote(&mut self, quote: &Quote, book: &Book) {
        if !self.active {
            return;
        }
        if self.book_id != 0 && quote.update_id == self.book_id {
            self.compare(quote, book);
        } else if self.book_id == 0 || quote.update_id > self.book_id {
            if self.waiting.len() == WAITING_MAX {
                self.waiting.remove(0);
            }
            self.waiting.push(*quote);
        }
    }

    /// Compares what waited for the id that the book has reached, and gives up what it has passed.
    pub fn release(&mut self, book: &Book) {
        if !self.active || self.book_id == 0 || self.waiting.is_empty() {
            return;
        }
        let id = self.book_id;
        for index in 0..self.waiting.len() {
            let Some(quote) = self.waiting.get(index).copied() else { continue };
            if quote.update_id == id {
                self.compare(&quote, book);
            }
        }
        self.waiting.retain(|quote| quote.update_id > id);
    }

    fn compare(&mut self, quote: &Quote, book: &Book) {
        let bid = book.best(Side::Buy).unwrap_or_default();
        let ask = book.best(Side::Sell).unwrap_or_default();
        self.compared = self.compared.saturating_add(1);
        let equal = (bid.price, bid.qty, ask.price, ask.qty)
            == (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty);
        if !equal {
            self.unequal = self.unequal.saturating_add(1);
        }
    }
}

impl Image for QuoteCheck {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.book_id);
        out.put(self.compared);
        out.put(self.unequal);
        out.put_len(self.waiting.len());
        for quote in &self.waiting {
            save_quote(quote, out);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.book_id = from.take()?;
        self.compared = from.take()?;
        self.unequal = from.take()?;
        self.waiting.clear();
        for _ in 0..from.take_len(WAITING_MAX)? {
            self.waiting.push(load_quote(from)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
