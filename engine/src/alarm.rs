//! The one timer that a stage waits for: the earliest of all that is due there.
//!
//! A stage with many waits asks for one timer at a time, so what ended long before it was due
//! leaves nothing behind, and no number of waits can be too large. A timer that comes too early is
//! harmless: the stage finds nothing due and asks for the next.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::time::Nanos;

/// What was asked for last and has not come yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    at: Option<Nanos>,
}

impl Alarm {
    /// Notes that a timer came at `now`.
    pub fn came(&mut self, now: Nanos) {
        self.at = self.at.filter(|at| *at > now);
    }

    /// Takes when the stage is due next, and returns that if it is to be asked for: nothing as
    /// early was.
    pub fn set(&mut self, due: Option<Nanos>) -> Option<Nanos> {
        let due = due?;
        if self.at.is_some_and(|at| at <= due) {
            return None;
        }
        self.at = Some(due);
        Some(due)
    }
}

impl Image for Alarm {
    fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.at);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.at = from.take_option()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_due_earlier_is_asked_for_until_the_timer_came() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(None), None);
        assert_eq!(alarm.set(Some(Nanos(9))), Some(Nanos(9)));
        assert_eq!(alarm.set(Some(Nanos(12))), None, "asked for again when 9 came");
        assert_eq!(alarm.set(Some(Nanos(9))), None);
        assert_eq!(alarm.set(Some(Nanos(5))), Some(Nanos(5)));
        alarm.came(Nanos(4));
        assert_eq!(alarm.set(Some(Nanos(9))), None, "5 is still to come");
        alarm.came(Nanos(5));
        assert_eq!(alarm.set(Some(Nanos(9))), Some(Nanos(9)));
    }
}
