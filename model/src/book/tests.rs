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

    /// Best prices that leave the window at both ends, and levels that leave it and come back.
    #[test]
    fn a_book_whose_prices_wander_is_a_sorted_map(
        changes in prop::collection::vec(
            (any::<bool>(), far_price(), 0_i64..3, 0_u8..4, 0_u8..200),
            0..400,
        ),
    ) {
        let (mut book, mut naive) = (Book::new(), Naive::default());
        for (buy, price, qty, from, special) in changes {
            let side = if buy { Side::Buy } else { Side::Sell };
            let mut change = (price, qty);
            if from == 0 && let Some(best) = naive.levels(side).first() {
                change = (best.price.0, 0);
            }
            prop_assert_eq!(
                book.set(side, Price(change.0), Qty(change.1)).0,
                naive.set(side, change.0, change.1)
            );
            match special {
                0 => {
                    book.clear();
                    naive = Naive::default();
                }
                1 => book = load(&image(&book)).unwrap(),
                _ => {}
            }
            prop_assert_eq!(book.qty_at(side, Price(price)).0, naive.qty_at(side, price));
            prop_assert_eq!(book.best(side), naive.levels(side).first().copied());
        }
        check_equal(&book, &mut naive)?;
        prop_assert_eq!(load(&image(&book)), Ok(book));
    }
}

/// Prices about the ends of a window, about its moves, and about the ends of all prices.
fn far_price() -> impl Strategy<Value = i64> {
    let step = prop_oneof![-3_i64..=3, -40_000_i64..40_000];
    let steps = (-20_i64..=20, step.clone()).prop_map(|(spans, step)| spans * 2_048 + step);
    // The lowest price has no opposite and no venue sends it.
    let lowest = step.clone().prop_map(|step| -i64::MAX + step.abs());
    let highest = step.prop_map(|step| i64::MAX - step.abs());
    prop_oneof![8 => steps, 1 => lowest, 1 => highest]
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

/// A full side whose levels lie in the window, below it, or in both.
#[test]
fn a_full_side_is_one_at_any_distance_of_its_levels() {
    for (side, stride) in [(Side::Buy, 1), (Side::Buy, 3), (Side::Sell, 2), (Side::Sell, 1 << 40)] {
        let (mut book, mut naive) = (Book::new(), Naive::default());
        let better = side.sign() * stride;
        // From the middle to both ends, then over the better one.
        let steps = i64::try_from(LEVELS_MAX).unwrap();
        for step in (0..steps / 2).rev().chain(steps / 2..steps + 100) {
            book.set(side, Price(step * better), Qty(1 + step));
            naive.set(side, step * better, 1 + step);
            if step >= steps {
                naive.set(side, (step - steps) * better, 0);
            }
        }
        assert_eq!((book.len(side), book.dropped()), (LEVELS_MAX, 100));
        assert_eq!(book.levels(side).collect::<Vec<_>>(), naive.levels(side));
        assert_eq!(load(&image(&book)), Ok(book));
    }
}

#[test]
fn a_book_without_room_takes_levels_all_the_same() {
    let mut book = Book::empty();
    assert_eq!(book.qty_at(Side::Sell, Price(7)), Qty(0));
    assert_eq!(book.set(Side::Sell, Price(7), Qty(0)), Qty(0));
    assert_eq!(book.set(Side::Sell, Price(7), Qty(3)), Qty(0));
    assert_eq!(book.set(Side::Sell, Price(1 << 50), Qty(4)), Qty(0));
    assert_eq!(book.set(Side::Sell, Price(7), Qty(0)), Qty(3));
    assert_eq!(book.best(Side::Sell), Some(Level { price: Price(1 << 50), qty: Qty(4) }));
    book.clear();
    assert!(book.is_empty());
    assert_eq!(book, Book::empty());
}

#[test]
fn both_ends_of_all_prices_are_levels() {
    for side in SIDES {
        let mut book = Book::new();
        let (worst, best) = (Price(-i64::MAX * side.sign()), Price(i64::MAX * side.sign()));
        for (price, qty) in [(best, 1), (Price(0), 2), (worst, 3), (best, 4)] {
            book.set(side, price, Qty(qty));
        }
        let levels: Vec<_> = book.levels(side).map(|level| (level.price, level.qty.0)).collect();
        assert_eq!(levels, [(best, 4), (Price(0), 2), (worst, 3)]);
        assert_eq!(load(&image(&book)).as_ref(), Ok(&book));
        for (price, left) in [(best, Some(Price(0))), (Price(0), Some(worst)), (worst, None)] {
            book.set(side, price, Qty(0));
            assert_eq!(book.best(side).map(|level| level.price), left);
        }
    }
    // The lowest price of a bid is a key; that of an ask shares the key of the one above it.
    let mut book = Book::new();
    assert_eq!(book.set(Side::Buy, Price(i64::MIN), Qty(1)), Qty(0));
    assert_eq!(book.qty_at(Side::Buy, Price(i64::MIN)), Qty(1));
    assert_eq!(book.set(Side::Sell, Price(i64::MIN), Qty(1)), Qty(0));
    assert_eq!(book.set(Side::Sell, Price(-i64::MAX), Qty(2)), Qty(1));
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
