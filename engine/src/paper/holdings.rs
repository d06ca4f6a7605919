//! What each strategy's own fills hold of each instrument, in units of 1e-9: what its protective
//! stop gives up, and what orders that may only reduce can take off.

use model::codec::{ImageError, ImageReader, ImageWriter};
use model::id::{InstrumentId, StrategyId};

/// LIMIT: pairs of a strategy and an instrument that hold something. Beyond it a fill is not noted,
/// and so is not protected: 256 rules make far fewer strategies than would be needed.
const HOLDINGS_MAX: usize = 4_096;

/// Signed holdings, sorted by instrument and strategy; none is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holdings {
    held: Vec<((InstrumentId, StrategyId), i128)>,
}

impl Holdings {
    pub(super) fn new() -> Self {
        Self { held: Vec::with_capacity(HOLDINGS_MAX) }
    }

    /// Adds what a fill moved.
    pub(super) fn add(&mut self, instrument: InstrumentId, strategy: StrategyId, moved: i128) {
        let key = (instrument, strategy);
        match self.held.binary_search_by_key(&key, |held| held.0) {
            Ok(at) => {
                let Some(held) = self.held.get_mut(at) else { return };
                held.1 = held.1.saturating_add(moved);
                if held.1 == 0 {
                    self.held.remove(at);
                }
            }
            Err(at) if moved != 0 && self.held.len() < HOLDINGS_MAX => {
                self.held.insert(at, (key, moved));
            }
            Err(_) => {}
        }
    }

    /// Forgets what is held of an instrument: the venue closed all of it.
    pub(super) fn clear(&mut self, instrument: InstrumentId) {
        self.held.retain(|held| held.0.0 != instrument);
    }

    /// Returns what a strategy holds of an instrument.
    pub(super) fn of(&self, instrument: InstrumentId, strategy: StrategyId) -> i128 {
        let found = self.held.binary_search_by_key(&(instrument, strategy), |held| held.0);
        found.ok().and_then(|at| self.held.get(at)).map_or(0, |held| held.1)
    }

    /// Returns what all strategies hold of an instrument.
    pub(super) fn net(&self, instrument: InstrumentId) -> i128 {
        let own = self.held.iter().filter(|held| held.0.0 == instrument);
        own.fold(0, |sum, held| sum.saturating_add(held.1))
    }

    pub(super) fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.held.len());
        for ((instrument, strategy), held) in &self.held {
            out.put(instrument.0);
            out.put(*strategy);
            out.put(*held);
        }
    }

    pub(super) fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.held.clear();
        for _ in 0..from.take_len(HOLDINGS_MAX)? {
            let key = (InstrumentId(from.take()?), from.take()?);
            if self.held.last().is_some_and(|last| last.0 >= key) {
                return Err(ImageError::Range);
            }
            self.held.push((key, from.take()?));
        }
        Ok(())
    }
}
