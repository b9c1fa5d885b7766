//! The axes of plots, with marks at round values.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::comparison::Scale;

/// An axis in either scale.
#[derive(Clone)]
pub(super) struct Ruler {
    scale: Scale,
    marks: Vec<f64>,
    /// The values at the ends, as they lie in the scale.
    ends: (f64, f64),
}

impl Ruler {
    /// With round values around `least` and `most`; a linear axis begins at zero.
    pub(super) fn around(scale: Scale, least: f64, most: f64) -> Self {
        let marks = match scale {
            Scale::Linear => multiples(most),
            Scale::Logarithmic => powers(least, most),
        };
        Self::between(scale, marks)
    }

    /// With marks at these values, and a little more to both sides.
    pub(super) fn at(scale: Scale, marks: &[f64]) -> Self {
        let Self { scale, marks, ends: (first, last) } = Self::between(scale, marks.to_vec());
        let edge = 0.03 * (last - first);
        Self { scale, marks, ends: (first - edge, last + edge) }
    }

    /// From the first mark to the last.
    fn between(scale: Scale, marks: Vec<f64>) -> Self {
        let ends = [marks.first(), marks.last()].map(|end| place(scale, *end.expect("two marks")));
        Self { scale, marks, ends: ends.into() }
    }
}

fn place(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Logarithmic => value.log10(),
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place(self.scale, *value) - self.ends.0) / (self.ends.1 - self.ends.0);
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        let value = |place: f64| match self.scale {
            Scale::Linear => place,
            Scale::Logarithmic => 10_f64.powf(place),
        };
        value(self.ends.0)..value(self.ends.1)
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        label(*value)
    }
}

/// Four to eight steps from zero.
fn multiples(most: f64) -> Vec<f64> {
    let rough = (most / 4.0).max(f64::MIN_POSITIVE);
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [5.0, 2.0, 1.0].map(|factor| factor * decade);
    let step = step.into_iter().find(|step| *step <= rough).unwrap_or(decade);
    let steps = (most / step).floor() as usize + 1;
    (0..=steps).map(|number| number as f64 * step).collect()
}

/// Powers of ten; halves and fifths of them, too, where there would be few.
fn powers(least: f64, most: f64) -> Vec<f64> {
    let factors: &[f64] = if most / least < 300.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let exponents = least.log10().floor() as i32..=most.log10().ceil() as i32;
    let all: Vec<f64> =
        exponents.flat_map(|e| factors.iter().map(move |factor| factor * 10_f64.powi(e))).collect();
    let first = all.iter().rposition(|value| *value < least).unwrap_or(0);
    let last = all.iter().position(|value| *value >= most).unwrap_or(all.len() - 1);
    all[first..=last].to_vec()
}

/// A round number in as few characters as it needs.
fn label(value: f64) -> String {
    // What a multiplication has lost is less than this.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    match value {
        1e6.. => format!("{} M", rounded(value / 1e6)),
        1e4.. => format!("{} k", rounded(value / 1e3)),
        _ => format!("{}", rounded(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_beyond_the_greatest_value() {
        assert_eq!(multiples(8.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(multiples(90.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }

    #[test]
    fn a_logarithmic_axis_has_round_ends_on_both_sides() {
        assert_eq!(powers(3.0, 42.0), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(powers(3.0, 4000.0), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(label(3.0 * 0.1), "0.3");
        assert_eq!(label(1e6), "1 M");
    }

    #[test]
    fn equal_factors_are_equally_far_apart_on_a_logarithmic_axis() {
        let ruler = Ruler::around(Scale::Logarithmic, 3.0, 4000.0);

        assert_eq!([1.0, 100.0, 10_000.0].map(|value| ruler.map(&value, (0, 100))), [0, 50, 100]);
    }
}
