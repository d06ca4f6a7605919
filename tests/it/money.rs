//! Money as documents tell it and as rationals compute it, against the engine's portfolio.
//!
//! `world` drives the portfolio by small steps; `books` keeps the same accounts in rationals and
//! shares no arithmetic with it. Both are compared after every step: the worked examples of
//! `docs/accounts.md`, and sessions drawn from seeds.

/// The accounts once more, in rationals.
mod books;
/// Steps, and the engine's portfolio that they drive.
mod world;

use books::Books;
use world::{ACCOUNTS, ASSETS, INSTRUMENTS, Step, World, nano};

/// A step of both, and every figure of both.
fn advance(world: &mut World, books: &mut Books, step: &Step, told: &str) {
    world.step(step);
    books.step(step);
    let (found, expected) = (world.figures(), books.figures());
    assert_eq!(found.len(), expected.len());
    for ((name, found), (other, expected)) in found.iter().zip(&expected) {
        assert_eq!(name, other);
        assert_eq!(found, expected, "{name} after {told}");
    }
}

#[test]
fn the_worked_examples_of_the_document_are_what_the_engine_computes() {
    let path = tests::root().join("docs/accounts.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let (mut header, mut world, mut books) = (Vec::new(), World::new(), Books::new());
    let (mut tables, mut figures) = (0, 0);
    for (index, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            header.clear();
        } else if cells[0] == "step" {
            header = cells.iter().map(|cell| (*cell).to_owned()).collect();
            (world, books) = (World::new(), Books::new());
            tables += 1;
        } else if !header.is_empty() && !cells[0].starts_with('-') {
            let told = format!("line {}: {}", index + 1, cells[0]);
            for part in cells[0].trim_matches('`').split(';') {
                let step = Step::parse(part.trim()).unwrap_or_else(|| panic!("{told}: no step"));
                advance(&mut world, &mut books, &step, &told);
            }
            let found = world.figures();
            for (name, expected) in
                header.iter().zip(&cells).skip(1).filter(|(_, cell)| !cell.is_empty())
            {
                let value = found.iter().find(|(figure, _)| figure == name);
                let (_, value) =
                    value.unwrap_or_else(|| panic!("{told}: there is no figure `{name}`"));
                assert_eq!(value, &expected.replace(',', ""), "{name} after {told}");
                figures += 1;
            }
        }
    }
    println!("{tables} tables, {figures} figures");
    assert!(tables >= 6 && figures >= 60, "{tables} tables, {figures} figures");
}

/// A small generator of its own: what is drawn never changes with a library.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn signed(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(2 * bound + 1).unwrap())).unwrap() - bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// Draws the next step of a session: `prices` are where the instruments stand, as mantissas.
fn drawn(draw: &mut Draw, prices: &mut [i64], world: &World, day: &mut i32) -> Step {
    let instrument = usize::try_from(draw.below(INSTRUMENTS.len() as u64)).unwrap();
    let traded = [0, 1, 2, 4, 5][usize::try_from(draw.below(5)).unwrap()];
    match draw.below(20) {
        0..=6 => {
            let price = &mut prices[instrument];
            *price = (*price + draw.signed(*price / 50 + 1)).max(2);
            Step::Mark { instrument, price: *price }
        }
        7..=11 => {
            let price = (prices[traded] + draw.signed(prices[traded] / 100 + 1)).max(1);
            let linear = INSTRUMENTS[traded].linear;
            let most = if linear { 3_000 } else { 900 };
            let (mut buy, mut qty) = (draw.below(2) == 0, 1 + draw.signed(most).abs());
            let held = world.held_lots(traded);
            if !linear && !buy && held < qty {
                (buy, qty) = if held > 0 { (false, held) } else { (true, qty) };
            }
            // A ten-thousandth or so, rounded by nobody in particular.
            let fee = draw.signed(40_000_000).abs() + 7;
            let (base, quote) = world::assets_of(traded);
            let other = draw.below(4) == 0;
            let (fee, fee_asset) = match (linear, buy, other) {
                (true, _, _) | (false, false, false) => (fee, quote),
                (false, true, false) => (fee / 100_000 + 1, base),
                (false, _, true) => {
                    (fee / 100, ASSETS.iter().position(|name| *name == "BNB").unwrap())
                }
            };
            let strategy = u16::try_from(draw.below(2)).unwrap();
            Step::Fill { strategy, instrument: traded, buy, qty, price, fee, fee_asset }
        }
        12 | 13 => {
            let account = usize::try_from(draw.below(ACCOUNTS.len() as u64)).unwrap();
            let asset = if account == 0 { *draw.pick(&[0, 1, 3, 4]) } else { *draw.pick(&[0, 2]) };
            let small = asset >= 3;
            let amount = i128::from(draw.signed(if small { 50_000_000 } else { 900_000_000_000 }));
            let reason = u8::try_from(draw.below(5)).unwrap();
            Step::Flow { account, asset, amount, reason }
        }
        14 | 15 => {
            let instrument = *draw.pick(&[4, 5]);
            let mark = prices[instrument] * 10 + draw.signed(9);
            Step::Funding { instrument, rate: draw.signed(500_000), mark: mark.max(1) }
        }
        16 | 19 if draw.below(3) > 0 => {
            Step::Rate { asset: 2, rate: 1_000_000_000 + i128::from(draw.signed(3_000_000)) }
        }
        17 => match draw.below(3) {
            0 if draw.below(3) == 0 => Step::Gap { instrument },
            1 => Step::Publish { instrument: 4, mark: prices[4] * 10 + draw.signed(90) },
            _ => Step::Sync { instrument: world.broken().unwrap_or(instrument) },
        },
        18 => {
            *day += 1 + i32::try_from(draw.below(3)).unwrap();
            Step::Day { date: *day }
        }
        _ => match draw.below(4) {
            0 => Step::Liquidate {
                instrument: *draw.pick(&[4, 5]),
                fee: draw.signed(9_000_000).abs(),
            },
            1 if draw.below(2) == 0 => Step::Wait { seconds: 70 },
            _ => Step::Sync { instrument: world.broken().unwrap_or(instrument) },
        },
    }
}

#[test]
fn drawn_sessions_equal_the_rational_books_after_every_step() {
    let (mut compared, mut known_in_all, mut unknown_in_all) = (0, 0, 0);
    for seed in 0..12 {
        let (mut draw, mut world, mut books) = (Draw(seed), World::new(), Books::new());
        let mut day = world::FIRST_DAY;
        let mut prices = vec![3_500_000, 250_000, 3_490_000, 10_002, 350_050, 25_010, 30_000];
        for (account, asset, amount) in [
            (0, 0, "20000"),
            (0, 1, "3000"),
            (0, 3, "0.5"),
            (0, 4, "2.25"),
            (0, 5, "1.5"),
            (1, 0, "9000"),
            (1, 2, "4000.25"),
        ] {
            let open = Step::Open { account, asset, amount: nano(amount) };
            advance(&mut world, &mut books, &open, "the openings");
        }
        // Half of the sessions know everything from the start; in the others it comes by and by.
        let known: Vec<Step> = if seed % 2 == 0 {
            let mark =
                |(instrument, price): (usize, &i64)| Step::Mark { instrument, price: *price };
            let rate = Step::Rate { asset: 2, rate: 1_000_000_000 };
            prices.iter().enumerate().map(mark).chain([rate]).collect()
        } else {
            Vec::new()
        };
        for step in &known {
            advance(&mut world, &mut books, step, "the first marks");
        }
        for nth in 0..400 {
            let step = drawn(&mut draw, &mut prices, &world, &mut day);
            advance(&mut world, &mut books, &step, &format!("seed {seed}, step {nth}: {step:?}"));
            compared += 1;
        }
        (known_in_all, unknown_in_all) =
            (known_in_all + books.known, unknown_in_all + books.unknown);
        assert!(books.rolls > 3 && books.fundings > 3 && books.flows > 3, "seed {seed}");
    }
    println!("{compared} steps, equity known at {known_in_all}");
    assert!(known_in_all > 1_000 && unknown_in_all > 100, "{known_in_all}, {unknown_in_all}");
}
