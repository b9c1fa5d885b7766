//! A line for each contender over the columns, and whiskers from the least to the greatest sample.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Ruler;
use super::{
    Drawn, FONT, GRID, INK, TEXT_SIZE, bounds, bounds_of_all, color, finite_median, paper,
};
use crate::comparison::{Axis, Job, Kind, Scale};
use crate::table::Row;

const SIZE: (u32, u32) = (760, 430);
const LEGEND: i32 = 180;
const LEGEND_LINE: i32 = 22;

pub(super) fn draw(job: &Job, rows: &[&Row], x: Axis, y: Scale, picture: &mut String) -> Drawn {
    let (least, most) = bounds_of_all(job, rows);
    let area = paper(job, SIZE, picture)?;
    let (left, legend) = area.split_horizontally(area.dim_in_pixel().0 as i32 - LEGEND);
    let mut chart = ChartBuilder::on(&left)
        .set_label_area_size(LabelAreaPosition::Left, 62)
        .set_label_area_size(LabelAreaPosition::Bottom, 45)
        .margin_top(8)
        .build_cartesian_2d(Ruler::at(x.scale, x.places), Ruler::around(y, least, most))?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style((FONT, TEXT_SIZE).into_font().color(&INK))
        .x_desc(x.title)
        .y_desc(job.unit)
        .draw()?;

    // Ours on top of the others.
    for (number, row) in rows.iter().enumerate().rev() {
        let color = color(row, number);
        let style = color.stroke_width(if row.kind == Kind::Ours { 3 } else { 2 });
        let points: Vec<_> = x
            .places
            .iter()
            .enumerate()
            .filter_map(|(column, place)| {
                let (low, high) = bounds(row, column);
                Some((*place, (low, finite_median(row, column)?, high)))
            })
            .collect();
        let medians = points.iter().map(|(x, (_, median, _))| (*x, *median));
        chart.draw_series(LineSeries::new(medians.clone(), style))?;
        chart.draw_series(medians.map(|point| Circle::new(point, 3, color.filled())))?;
        chart.draw_series(points.iter().map(|(x, (low, median, high))| {
            ErrorBar::new_vertical(*x, *low, *median, *high, color.stroke_width(1), 6)
        }))?;

        let height = 24 + number as i32 * LEGEND_LINE;
        legend.draw(&PathElement::new([(14, height), (38, height)], style))?;
        let name = (FONT, TEXT_SIZE).into_font().color(&INK);
        let name = name.pos(Pos::new(HPos::Left, VPos::Center));
        legend.draw(&Text::new(row.name, (46, height), name))?;
    }
    area.present()?;
    Ok(())
}
