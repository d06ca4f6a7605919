//! Figures beside their goals, for people.

use serde::Serialize;

use crate::compare::Spread;

/// How a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Thousandths of a ratio.
    Ratio,
    /// Operations a second.
    PerSecond,
    /// Picoseconds, shown in nanoseconds.
    Picoseconds,
    /// Nanoseconds, shown in milliseconds.
    Nanoseconds,
    /// Memory.
    Kib,
    /// A plain count.
    Count,
}

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Not more than this.
    AtMost(u64),
    /// Not less than this.
    AtLeast(u64),
    /// Nothing: it explains another one.
    None,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Median and spread.
    pub measured: Spread,
    /// What is asked of it.
    pub goal: Goal,
}

impl Row {
    /// Returns whether the median meets the goal; none without a goal.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(most) => Some(self.measured.median <= most),
            Goal::AtLeast(least) => Some(self.measured.median >= least),
            Goal::None => None,
        }
    }

    /// Returns the line of the row.
    #[must_use]
    pub fn line(&self) -> String {
        let Spread { median, min, max, count } = self.measured;
        let show = |number| show(self.unit, number);
        let goal = match self.goal {
            Goal::AtMost(most) => format!("at most {}", show(most)),
            Goal::AtLeast(least) => format!("at least {}", show(least)),
            Goal::None => String::new(),
        };
        let verdict = match self.met() {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "",
        };
        let spread =
            if count > 1 { format!("{} to {}", show(min), show(max)) } else { String::new() };
        let line = format!(
            "{:<52} {:>12}  {spread:<26} {goal:<22} {:>7}  {verdict}",
            self.name,
            show(median),
            self.share_of_goal()
        );
        line.trim_end().to_owned()
    }

    /// Returns the figure as a share of its goal.
    fn share_of_goal(&self) -> String {
        let goal = match self.goal {
            Goal::AtMost(goal) | Goal::AtLeast(goal) => goal,
            Goal::None => return String::new(),
        };
        let share = self.measured.median.saturating_mul(100).checked_div(goal);
        share.map_or_else(String::new, |share| format!("{}.{:02}", share / 100, share % 100))
    }
}

/// Returns a number in its unit.
fn show(unit: Unit, number: u64) -> String {
    let thousandths = |text: &str| format!("{}.{:02}{text}", number / 1_000, number % 1_000 / 10);
    match unit {
        Unit::Ratio => thousandths(" x"),
        Unit::PerSecond => format!("{}/s", grouped(number)),
        Unit::Picoseconds => thousandths(" ns"),
        Unit::Nanoseconds => format!("{}.{} ms", number / 1_000_000, number / 100_000 % 10),
        Unit::Kib => format!("{} KiB", grouped(number)),
        Unit::Count => grouped(number),
    }
}

/// Returns a number with commas between its thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Unit, median: u64, goal: Goal) -> Row {
        let measured = Spread { median, min: median, max: median, count: 1 };
        Row { name: "x".to_owned(), unit, measured, goal }
    }

    #[test]
    fn a_row_says_whether_the_median_meets_the_goal() {
        let table = [
            (row(Unit::Ratio, 3_000, Goal::AtMost(3_000)), Some(true)),
            (row(Unit::Ratio, 3_001, Goal::AtMost(3_000)), Some(false)),
            (row(Unit::PerSecond, 999_999, Goal::AtLeast(1_000_000)), Some(false)),
            (row(Unit::Kib, 7, Goal::None), None),
        ];
        for (row, met) in table {
            assert_eq!(row.met(), met, "{}", row.line());
        }
    }

    #[test]
    fn numbers_are_shown_in_their_units() {
        let table = [
            (Unit::Ratio, 1_250, "1.25 x"),
            (Unit::PerSecond, 1_234_567, "1,234,567/s"),
            (Unit::Picoseconds, 197_400, "197.40 ns"),
            (Unit::Nanoseconds, 347_900_000, "347.9 ms"),
            (Unit::Count, 100, "100"),
        ];
        for (unit, number, text) in table {
            assert_eq!(show(unit, number), text);
        }
    }
}
