//! What is compared, what waits, and what is given up.

use model::num::{Price, Qty};

use super::*;

fn quote(update_id: u64, bid: i64) -> Quote {
    Quote { bid: Price(bid), ask: Price(20), bid_qty: Qty(1), ask_qty: Qty(1), update_id }
}

fn book(bid: i64) -> Book {
    let mut book = Book::new();
    book.set(Side::Buy, Price(bid), Qty(1));
    book.set(Side::Sell, Price(20), Qty(1));
    book
}

#[test]
fn best_prices_are_compared_at_the_same_update_id_only() {
    let mut check = QuoteCheck::new(true);
    check.quote(&quote(5, 9), &book(9));
    assert_eq!(check.counts(), (0, 0), "there is no book yet: it waits");
    check.book_at(5);
    check.release(&book(9));
    assert_eq!(check.counts(), (1, 0));
    check.quote(&quote(5, 8), &book(9));
    assert_eq!(check.counts(), (2, 1), "an unequal price is found");
    check.quote(&quote(4, 8), &book(9));
    check.quote(&quote(6, 8), &book(9));
    check.book_at(7);
    check.release(&book(9));
    assert_eq!(check.counts(), (2, 1), "what the book has passed cannot be compared");
    check.quote(&quote(7, 9), &book(9));
    assert_eq!(check.counts(), (3, 1));
}

#[test]
fn what_waits_is_bounded_and_an_inactive_check_counts_nothing() {
    let mut check = QuoteCheck::new(true);
    for id in 1..=3_000 {
        check.quote(&quote(id, 9), &book(9));
    }
    assert_eq!(check.waiting.len(), WAITING_MAX);
    check.book_at(3_000);
    check.release(&book(9));
    assert_eq!(check.counts(), (1, 0));
    let mut off = QuoteCheck::new(false);
    off.book_at(1);
    off.quote(&quote(1, 1), &book(9));
    off.release(&book(9));
    assert_eq!(off.counts(), (0, 0));
}
