//! Acts that take two people (accounts.md 13 and 14): one asks for it, and another one has to ask
//! for the same before it is done.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::Field;
use model::time::Nanos;

/// For so long after the first the second may ask, in event time: a day, so that whoever comes next
/// finds it on the desk, and nobody agrees to what was looked at last week.
pub const ASKED_NS: i64 = 86_400_000_000_000;

/// An act that somebody has asked for, until another person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval<T> {
    asked: Option<Asked<T>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked<T> {
    act: T,
    by: u16,
    until: Nanos,
}

impl<T> Default for Approval<T> {
    fn default() -> Self {
        Self { asked: None }
    }
}

impl<T: Copy + PartialEq> Approval<T> {
    /// Takes what a person asks for; true when another one asked for the same a short while ago. It
    /// is forgotten then: what is done once is not done again for one person.
    pub fn agree(&mut self, act: T, by: u16, now: Nanos) -> bool {
        let agreed = self
            .asked
            .take_if(|asked| asked.act == act && asked.by != by && now <= asked.until)
            .is_some();
        if !agreed {
            self.asked = Some(Asked { act, by, until: now.plus(ASKED_NS) });
        }
        agreed
    }

    /// Forgets what was asked for: it was about something that is no more.
    pub fn forget(&mut self) {
        self.asked = None;
    }
}

impl<T: Field> Image for Approval<T> {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.asked.is_some());
        if let Some(Asked { act, by, until }) = self.asked {
            out.put(act);
            out.put(by);
            out.put(until);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.asked = if from.take()? {
            Some(Asked { act: from.take()?, by: from.take()?, until: from.take()? })
        } else {
            None
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_ask_for_the_same_within_a_day() {
        let mut approval = Approval::default();
        assert!(!approval.agree(0_u8, 7, Nanos(0)));
        assert!(!approval.agree(0, 7, Nanos(1)), "one person twice");
        assert!(!approval.agree(1, 8, Nanos(2)), "something else");
        assert!(!approval.agree(0, 7, Nanos(3)), "the second asked for something else");
        assert!(approval.agree(0, 8, Nanos(3 + ASKED_NS)));
        assert!(!approval.agree(0, 8, Nanos(4)), "it was done; that is over");
        assert!(!approval.agree(0, 7, Nanos(5 + ASKED_NS)), "too late");
        approval.forget();
        assert!(!approval.agree(0, 8, Nanos(6 + ASKED_NS)), "forgotten");
    }
}
