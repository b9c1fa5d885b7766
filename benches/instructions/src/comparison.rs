//! What the counts mean beside their baseline.

use crate::Result;
use crate::baseline::{Count, FIGURES};

/// A count is exact; this leaves room for what the compiler arranges otherwise after a change elsewhere.
pub(crate) const TOLERANCE_PERCENT: f64 = 2.0;

/// A figure of a function, before and now.
#[derive(Debug)]
pub(crate) struct Row<'c> {
    pub(crate) path: &'c str,
    pub(crate) figure: &'static str,
    pub(crate) before: f64,
    pub(crate) now: f64,
}

#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    AsBefore,
    Better,
    Worse,
}

impl Row<'_> {
    pub(crate) fn verdict(&self) -> Verdict {
        let room = self.before * TOLERANCE_PERCENT / 100.0;
        match self.now - self.before {
            change if change > room => Verdict::Worse,
            change if change < -room => Verdict::Better,
            _ => Verdict::AsBefore,
        }
    }
}

/// The counts side by side, figure by figure.
///
/// # Errors
///
/// A function is not on both sides: it would not be compared.
pub(crate) fn compare<'c>(before: &'c [Count], now: &'c [Count]) -> Result<Vec<Row<'c>>> {
    let paths = |counts: &'c [Count]| counts.iter().map(|count| &*count.path);
    if !paths(before).eq(paths(now)) {
        let (before, now): (Vec<_>, Vec<_>) = (paths(before).collect(), paths(now).collect());
        return Err(format!(
            "the baseline is of {before:?}, counted was {now:?}: `cargo instructions --write`"
        )
        .into());
    }
    let rows = FIGURES.iter().enumerate().flat_map(|(which, figure)| {
        before.iter().zip(now).map(move |(before, now)| Row {
            path: &now.path,
            figure,
            before: before.figures[which],
            now: now.figures[which],
        })
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, f64, f64); N]) -> Vec<Count> {
        counts.map(|(path, i, a)| Count { path: path.to_owned(), figures: [i, a] }).into()
    }

    #[test]
    fn what_is_beyond_the_tolerance_is_better_or_worse() {
        let before = counts([("a", 100.0, 1.0), ("b", 100.0, 0.0)]);
        let now = counts([("a", 101.9, 2.0), ("b", 97.9, 0.0)]);

        let rows = compare(&before, &now).unwrap();

        let verdicts: Vec<_> = rows.iter().map(|row| (row.figure, row.verdict())).collect();
        let [instructions, atomics] = FIGURES;
        let expected = [
            (instructions, Verdict::AsBefore),
            (instructions, Verdict::Better),
            (atomics, Verdict::Worse),
            (atomics, Verdict::AsBefore),
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn a_function_without_a_baseline_is_an_error() {
        let before = counts([("a", 100.0, 1.0)]);
        let now = counts([("a", 100.0, 1.0), ("b", 1.0, 0.0)]);

        assert!(compare(&before, &now).is_err());
        assert!(compare(&now, &before).is_err());
    }
}
