//! A group of bars for each column, and whiskers from the least to the greatest sample.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Ruler;
use super::{
    Drawn, FONT, GRID, INK, TEXT_SIZE, bounds, bounds_of_all, color, finite_median, paper,
};
use crate::comparison::{Job, Scale};
use crate::table::{Row, three_digits};

const WIDTH: u32 = 760;
const LINE: u32 = 22;
/// For the names at the left and the values at the right.
const NAMES: u32 = 200;
const VALUES: u32 = 60;

/// What is on one line, from top to bottom.
enum Line<'a> {
    Heading(&'static str),
    Bar { row: &'a Row, column: usize, color: RGBColor },
}

pub(super) fn draw(job: &Job, rows: &[&Row], picture: &mut String) -> Drawn {
    let lines = lines(job, rows);
    let (least, most) = bounds_of_all(job, rows);
    let ruler = Ruler::around(Scale::Logarithmic, least, most);
    let height = lines.len() as u32 * LINE;

    let area = paper(job, (WIDTH, height + 105), picture)?;
    let mut chart = ChartBuilder::on(&area)
        .set_label_area_size(LabelAreaPosition::Left, NAMES)
        .set_label_area_size(LabelAreaPosition::Bottom, 45)
        .margin_right(VALUES)
        .build_cartesian_2d(ruler, lines.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style((FONT, TEXT_SIZE).into_font().color(&INK))
        .x_desc(format!("{}; logarithmic scale", job.unit))
        .draw()?;

    let start = chart.x_range().start;
    let origin = area.get_base_pixel();
    for (top, line) in lines.iter().enumerate().map(|(number, line)| (number as f64, line)) {
        let right_of = |value: f64, pixels: i32| {
            let (x, y) = chart.backend_coord(&(value, top + 0.5));
            (x - origin.0 + pixels, y - origin.1)
        };
        match line {
            Line::Heading(heading) => {
                area.draw(&text(heading, right_of(start, 5 - NAMES as i32), HPos::Left, true))?;
            }
            Line::Bar { row, column, color } => {
                area.draw(&text(row.name, right_of(start, -8), HPos::Right, false))?;
                let Some(median) = finite_median(row, *column) else {
                    area.draw(&text("–", right_of(start, 6), HPos::Left, false))?;
                    continue;
                };
                let (low, high) = bounds(row, *column);
                let value_at = right_of(high, 8);
                let corners = [(start, top + 0.15), (median, top + 0.85)];
                chart.draw_series([Rectangle::new(corners, color.filled())])?;
                chart.draw_series([ErrorBar::new_horizontal(
                    top + 0.5,
                    low,
                    median,
                    high,
                    INK.stroke_width(1),
                    7,
                )])?;
                let value = three_digits(median);
                area.draw(&text(&value, value_at, HPos::Left, false))?;
            }
        }
    }
    area.present()?;
    Ok(())
}

fn lines<'a>(job: &Job, rows: &[&'a Row]) -> Vec<Line<'a>> {
    let group = |(column, label): (usize, &'static str)| {
        let bar = move |(number, row): (usize, &&'a Row)| {
            let color = color(row, number);
            Line::Bar { row, column, color }
        };
        let bars: Vec<_> = rows.iter().enumerate().map(bar).collect();
        std::iter::once(Line::Heading(label)).chain(bars)
    };
    let labels = job.columns.iter().map(|column| column.label).enumerate();
    labels.flat_map(group).collect()
}

fn text(
    text: &str,
    at: (i32, i32),
    side: HPos,
    is_heading: bool,
) -> Text<'static, (i32, i32), String> {
    let style = if is_heading { FontStyle::Bold } else { FontStyle::Normal };
    let font = (FONT, TEXT_SIZE).into_font().style(style);
    let style = font.color(&INK).pos(Pos::new(side, VPos::Center));
    Text::new(text.to_owned(), at, style)
}
