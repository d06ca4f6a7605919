//! Finds what a person probably meant.

/// Returns the candidate nearest to `word`, if it is near enough to be a slip of the hand: one edit
/// in short words, two in longer ones; two letters exchanged count as one.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = match word.len() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed)
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(edits, _)| *edits <= allowed && *edits > 0)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// LIMIT: names longer than this are not compared; the work is their product.
const COMPARED_BYTES_MAX: usize = 64;

/// Edits between two words: insert, delete, replace, exchange neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    if a.len() > COMPARED_BYTES_MAX || b.len() > COMPARED_BYTES_MAX {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
            let replace = at(&last, j).saturating_add(usize::from(x != y));
            let insert = at(&row, j).saturating_add(1);
            let delete = at(&last, j.saturating_add(1)).saturating_add(1);
            let mut best = replace.min(insert).min(delete);
            let exchanged = i > 0
                && j > 0
                && a.get(i.saturating_sub(1)) == Some(y)
                && b.get(j.saturating_sub(1)) == Some(x);
            if exchanged {
                best = best.min(at(&before, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let words = ["when", "deny", "require", "order.notional"];
        for (slip, wanted) in [
            ("wehn", "when"),
            ("denny", "deny"),
            ("requrie", "require"),
            ("order.notionl", "order.notional"),
        ] {
            assert_eq!(nearest(slip, words), Some(wanted));
        }
        for word in ["", "w", "if", "foo", "exit"] {
            assert_eq!(nearest(word, words), None, "{word}");
        }
    }
}
