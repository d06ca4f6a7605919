//! Two workloads in turns: A B A B, a median and a spread of each, and the ratio of each pair.
//!
//! On a machine that others use too, two runs one after the other share their luck; runs apart do
//! not. So ratios are taken of neighbours, and their median is the figure.

/// The middle, smallest and largest of several measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Spread {
    /// Half of the measurements are below.
    pub median: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// How many there were.
    pub count: usize,
}

/// Two workloads beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Compared {
    /// The one that is judged.
    pub ours: Spread,
    /// What it is judged by.
    pub base: Spread,
    /// Ours over base, in thousandths, of each pair.
    pub ratio_milli: Spread,
}

impl Spread {
    /// Returns the spread of measurements; all zero when there are none.
    #[must_use]
    pub fn of(measured: &[u64]) -> Self {
        let mut sorted = measured.to_vec();
        sorted.sort_unstable();
        let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
        Self {
            median: at(sorted.len() / 2),
            min: at(0),
            max: at(sorted.len().saturating_sub(1)),
            count: sorted.len(),
        }
    }
}

/// Returns the value that `share` percent of the measurements do not pass.
#[must_use]
pub fn percentile(measured: &[u64], share: usize) -> u64 {
    let mut sorted = measured.to_vec();
    sorted.sort_unstable();
    let place = sorted.len().saturating_mul(share) / 100;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// Returns `ours / base` in thousandths; the largest number for a base of zero.
#[must_use]
pub fn ratio_milli(ours: u64, base: u64) -> u64 {
    ours.saturating_mul(1_000).checked_div(base).unwrap_or(u64::MAX)
}

/// Runs both in turns, once to warm up and then `rounds` times; each returns what it measured. The
/// one that begins changes with each round, so that neither always runs on what the other left.
///
/// # Errors
/// The first error of either.
pub fn in_turns<E>(
    rounds: usize,
    mut ours: impl FnMut() -> Result<u64, E>,
    mut base: impl FnMut() -> Result<u64, E>,
) -> Result<Compared, E> {
    let (mut of_ours, mut of_base, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds.saturating_add(1) {
        let (mine, other);
        if round % 2 == 0 {
            other = base()?;
            mine = ours()?;
        } else {
            mine = ours()?;
            other = base()?;
        }
        if round > 0 {
            of_ours.push(mine);
            of_base.push(other);
            ratios.push(ratio_milli(mine, other));
        }
    }
    Ok(Compared {
        ours: Spread::of(&of_ours),
        base: Spread::of(&of_base),
        ratio_milli: Spread::of(&ratios),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_sorted_measurements() {
        let spread = Spread::of(&[5, 1, 9, 3, 7]);
        assert_eq!(spread, Spread { median: 5, min: 1, max: 9, count: 5 });
        assert_eq!(Spread::of(&[]), Spread::default());
        assert_eq!((percentile(&[4, 1, 3, 2], 99), percentile(&[], 50)), (4, 0));
        assert_eq!((ratio_milli(3, 2), ratio_milli(1, 0)), (1_500, u64::MAX));
    }

    #[test]
    fn turns_alternate_and_the_first_round_is_not_counted() {
        let turns = std::cell::RefCell::new(String::new());
        let note = |who, took| {
            turns.borrow_mut().push(who);
            Ok::<_, ()>(took)
        };
        let compared = in_turns(2, || note('a', 30), || note('b', 10)).unwrap();
        assert_eq!(turns.into_inner(), "baabba");
        assert_eq!((compared.ours.count, compared.ratio_milli.median), (2, 3_000));
    }
}
