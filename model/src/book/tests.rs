//! The book against a map that knows no limit of speed, and its limits against a table.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::codec::ImageWriter;

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

/// The same book, naively.
#[derive(Default)]
struct Naive {
    sides: [BTreeMap<i64, i64>; 2],
}

impl Naive {
    fn side(&mut self, side: Side) -> &mut BTreeMap<i64, i64> {
        &mut self.sides[side as usize]
    }

    fn set(&mut self, side: Side, price: i64, qty: i64) -> i64 {
        let levels = self.side(side);
        let before = if qty > 0 { levels.insert(price, qty) } else { levels.remove(&price) };
        before.unwrap_or(0)
    }

    fn qty_at(&mut self, side: Side, price: i64) -> i64 {
        self.side(side).get(&price).copied().unwrap_or(0)
    }

    fn levels(&mut self, side: Side) -> Vec<Level> {
        let level = |(price, qty): (&i64, &i64)| Level { price: Price(*price), qty: Qty(*qty) };
        match side {
            Side::Buy => self.side(side).iter().rev().map(level).collect(),
            Side::Sell => self.side(side).iter().map(level).collect(),
        }
    }
}

fn check_equal(book: &Book, naive: &mut Naive) -> Result<(), TestCaseError> {
    for side in SIDES {
        let levels = naive.levels(side);
        prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), levels.clone());
        prop_assert_eq!(book.len(side), levels.len());
        prop_assert_eq!(book.best(side), levels.first().copied());
    }
    let best = SIDES.map(|side| naive.levels(side).first().copied());
    let crossed = matches!(best, [Some(bid), Some(ask)] if bid.price >= ask.price);
    prop_assert_eq!(book.is_crossed(), crossed);
    prop_assert_eq!(book.is_empty(), best == [None, None]);
    Ok(())
}

fn image(book: &Book) -> Vec<u8> {
    let mut out = ImageWriter::default();
    book.save(&mut out);
    out.finish()
}

fn load(bytes: &[u8]) -> Result<Book, ImageError> {
    let (mut book, mut reader) = (Book::new(), ImageReader::new(bytes));
    book.load(&mut reader)?;
    reader.finish()?;
    Ok(book)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_book_is_a_sorted_map(
        changes in prop::collection::vec(
            (any::<bool>(), prop_oneof![-30_i64..30, any::<i64>()], -1_i64..4, 0_u8..100),
            0..200,
        ),
    ) {
        let (mut book, mut naive) = (Book::new(), Naive::default());
        for (buy, price, qty, clear) in changes {
            if clear == 0 {
                book.clear();
                naive = Naive::default();
            }
            // The lowest price has no opposite and no venue sends it.
            let price = price.max(-i64::MAX);
            let side = if buy { Side::Buy } else { Side::Sell };
            prop_assert_eq!(book.qty_at(side, Price(price)).0, naive.qty_at(side, price));
            prop_assert_eq!(book.set(side, Price(price), Qty(qty)).0, naive.set(side, price, qty));
            prop_assert_eq!(book.qty_at(side, Price(price)).0, naive.qty_at(side, price));
        }
        check_equal(&book, &mut naive)?;
        prop_assert_eq!(load(&image(&book)), Ok(book));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Runs of changes as messages bring them, over more levels than a search looks at together.
    #[test]
    fn a_deep_book_is_a_sorted_map(
        messages in prop::collection::vec(
            (any::<bool>(), -2_000_i64..2_000, 1_i64..60, 1_usize..60, 0_i64..3),
            0..200,
        ),
    ) {
        let (mut book, mut naive) = (Book::new(), Naive::default());
        for (buy, start, stride, count, qty) in messages {
            let side = if buy { Side::Buy } else { Side::Sell };
            for step in 0..i64::try_from(count).unwrap() {
                let price = start + step * stride;
                let qty = (qty + step) % 3;
                prop_assert_eq!(
                    book.set(side, Price(price), Qty(qty)).0,
                    naive.set(side, price, qty)
                );
            }
        }
        check_equal(&book, &mut naive)?;
    }
}

#[test]
fn a_full_side_drops_its_worst_levels_and_counts_them() {
    let full = i64::try_from(LEVELS_MAX).unwrap();
    for side in SIDES {
        let better = side.sign();
        let mut book = Book::new();
        let price = |steps: i64| Price(1_000_000 + steps * better);
        for step in 0..full {
            book.set(side, price(step), Qty(1));
        }
        assert_eq!((book.len(side), book.dropped()), (LEVELS_MAX, 0));
        // Worse than all: it is the one that is dropped.
        book.set(side, price(-1), Qty(1));
        assert_eq!((book.len(side), book.dropped()), (LEVELS_MAX, 1));
        assert_eq!(book.qty_at(side, price(-1)), Qty(0));
        // Better than all, then in the middle: the worst makes room.
        book.set(side, price(full + 1), Qty(2));
        book.set(side, price(full), Qty(3));
        assert_eq!((book.len(side), book.dropped()), (LEVELS_MAX, 3));
        assert_eq!((book.qty_at(side, price(0)), book.qty_at(side, price(1))), (Qty(0), Qty(0)));
        let best: Vec<i64> = book.levels(side).take(3).map(|level| level.qty.0).collect();
        assert_eq!(best, [2, 3, 1]);
        assert_eq!(book.levels(side).last().map(|level| level.price), Some(price(2)));
        // A change of what is there and a removal need no room.
        book.set(side, price(2), Qty(9));
        assert_eq!(book.set(side, price(2), Qty(0)), Qty(9));
        assert_eq!((book.len(side), book.dropped()), (LEVELS_MAX - 1, 3));
        assert_eq!(load(&image(&book)), Ok(book));
    }
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let mut book = Book::new();
    book.set(Side::Buy, Price(1), Qty(1));
    let bytes = image(&book);
    assert_eq!(load(&bytes[..bytes.len() - 1]), Err(ImageError::Short));
    assert_eq!(load(&[&bytes[..], &[0]].concat()), Err(ImageError::Long(1)));
    let mut many = bytes;
    many[8..16].copy_from_slice(&(u64::try_from(LEVELS_MAX).unwrap() + 1).to_le_bytes());
    assert_eq!(load(&many), Err(ImageError::Range));
}
