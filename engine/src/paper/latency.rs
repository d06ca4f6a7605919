//! How long a message travels: always the same, or drawn for its order.
//!
//! A draw is a function of seed, order number and direction alone, by a counter-based generator
//! (the output steps of SplitMix64): it does not depend on what was drawn before, so an order's
//! latency is the same whatever else happens. Nothing overtakes on one connection: what is drawn
//! shorter than what left before arrives with it, which the agenda sees to.

use model::id::OrderNo;

use crate::setup::paper::LatencySetup;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// An order to the venue.
    Order = 1,
    /// A cancel to the venue.
    Cancel = 2,
    /// Reports of an order: all of it take the same.
    Report = 3,
}

/// A latency, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    seed: u64,
    /// Nanoseconds, each with the count of it and of all before.
    table: Vec<(i64, u64)>,
}

impl Latency {
    pub(super) fn new(setup: &LatencySetup) -> Self {
        match setup {
            LatencySetup::Constant { ns } => Self { seed: 0, table: vec![((*ns).max(0), 1)] },
            LatencySetup::Drawn { seed, table, .. } => {
                let mut sum = 0_u64;
                let summed = |(ns, count): &(i64, u64)| {
                    sum = sum.saturating_add(*count);
                    ((*ns).max(0), sum)
                };
                Self { seed: *seed, table: table.iter().map(summed).collect() }
            }
        }
    }

    /// Returns the nanoseconds that a message of an order travels.
    pub(super) fn of(&self, order: OrderNo, way: Way) -> i64 {
        if let [(ns, _)] = self.table.as_slice() {
            return *ns;
        }
        let total = self.table.last().map_or(0, |last| last.1);
        let drawn = mix(mix(self.seed ^ order.raw()) ^ way as u64);
        // The high half of the product is uniform below `total`.
        let rank = u128::from(drawn).saturating_mul(u128::from(total)) >> 64;
        let at = self.table.partition_point(|(_, sum)| u128::from(*sum) <= rank);
        self.table.get(at).map_or(0, |(ns, _)| *ns)
    }
}

/// Scatters a number over all 64 bits.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use model::id::Seq;

    use super::*;

    fn drawn(seed: u64) -> Latency {
        let table = vec![(1_000, 700), (2_000, 250), (9_000, 50)];
        Latency::new(&LatencySetup::Drawn { name: String::new(), seed, table })
    }

    #[test]
    fn draws_have_the_shares_of_the_histogram() {
        let (latency, mut counts) = (drawn(3), [0_u32; 3]);
        for seq in 0..10_000 {
            let ns = latency.of(OrderNo::new(Seq(seq), 0), Way::Order);
            let at = [1_000, 2_000, 9_000].iter().position(|value| *value == ns).unwrap();
            counts[at] += 1;
        }
        // Four standard deviations: 183, 173 and 87.
        let near = |count: u32, mean: u32, off: u32| count.abs_diff(mean) <= off;
        let fits = near(counts[0], 7_000, 183) && near(counts[1], 2_500, 173);
        assert!(fits && near(counts[2], 500, 87), "{counts:?}");
    }

    #[test]
    fn a_draw_depends_on_seed_order_and_way_alone() {
        let orders: Vec<OrderNo> = (0..64).map(|seq| OrderNo::new(Seq(seq), 0)).collect();
        let all = |latency: &Latency, way| orders.iter().map(|o| latency.of(*o, way)).collect();
        let forward: Vec<i64> = all(&drawn(3), Way::Order);
        let latency = drawn(3);
        let mut backward: Vec<i64> =
            orders.iter().rev().map(|order| latency.of(*order, Way::Order)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let others: [Vec<i64>; 3] =
            [all(&drawn(4), Way::Order), all(&drawn(3), Way::Cancel), all(&drawn(3), Way::Report)];
        assert!(others.iter().all(|other| *other != forward));
    }
}
