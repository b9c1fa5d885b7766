//! Pictures of the tables, as SVG.

mod axis;
mod bars;
mod lines;

use std::error::Error;

use plotters::prelude::*;

use crate::comparison::{Job, Kind, Plot};
use crate::table::Row;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

const FONT: &str = "sans-serif";
const TITLE_SIZE: u32 = 20;
const TEXT_SIZE: u32 = 15;
const MARGIN: u32 = 12;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const OURS: RGBColor = RGBColor(0xc8, 0x3e, 0x1e);

/// The picture of a job, if it is to have one and there is anything to show.
pub(crate) fn draw(job: &Job, rows: &[Row]) -> Result<Option<String>, Box<dyn Error>> {
    let is_shown = |row: &&Row| (0..job.columns.len()).any(|c| finite_median(row, c).is_some());
    let rows: Vec<&Row> = rows.iter().filter(is_shown).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut picture = String::new();
    match job.plot {
        Plot::None => return Ok(None),
        Plot::Bars => bars::draw(job, &rows, &mut picture)?,
        Plot::Lines { x, y } => lines::draw(job, &rows, x, y, &mut picture)?,
    }
    Ok(Some(picture))
}

/// White paper with the title on it; what is left of it.
fn paper<'a>(
    job: &Job,
    size: (u32, u32),
    picture: &'a mut String,
) -> Result<Area<'a>, Box<dyn Error>> {
    let area = SVGBackend::with_string(picture, size).into_drawing_area();
    area.fill(&WHITE)?;
    let title = (FONT, TITLE_SIZE).into_font().color(&INK);
    let area = area.margin(MARGIN, MARGIN, MARGIN, MARGIN);
    Ok(area.titled(job.title, title)?)
}

/// What is drawn of a cell.
fn finite_median(row: &Row, column: usize) -> Option<f64> {
    row.median(column).filter(|median| median.is_finite())
}

/// The least and the greatest sample.
fn bounds(row: &Row, column: usize) -> (f64, f64) {
    let values = row.values(column).into_iter().filter(|value| value.is_finite());
    values.fold((f64::INFINITY, 0.0), |(least, most), value| (least.min(value), most.max(value)))
}

/// Of everything that is drawn.
fn bounds_of_all(job: &Job, rows: &[&Row]) -> (f64, f64) {
    let cells =
        rows.iter().flat_map(|row| (0..job.columns.len()).map(|column| bounds(row, column)));
    cells.fold((f64::INFINITY, 0.0), |(least, most), (l, m)| (least.min(l), most.max(m)))
}

/// Ours stands out; the yardsticks are black.
fn color(row: &Row, number: usize) -> RGBColor {
    const PEERS: [RGBColor; 7] = [
        RGBColor(0x2b, 0x6c, 0xa3),
        RGBColor(0x4f, 0x9d, 0x69),
        RGBColor(0x8c, 0x6b, 0xb1),
        RGBColor(0xb5, 0x8a, 0x1f),
        RGBColor(0x3f, 0xa7, 0xb5),
        RGBColor(0xa3, 0x4f, 0x7a),
        RGBColor(0x7a, 0x7a, 0x7a),
    ];
    match row.kind {
        Kind::Ours => OURS,
        Kind::Variant | Kind::Bare => INK,
        Kind::Peer => PEERS[number % PEERS.len()],
    }
}
