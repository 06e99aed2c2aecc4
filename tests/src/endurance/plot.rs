//! The growth of a simulated repository, as a picture.

use std::path::Path;

use plotters::prelude::*;

use super::Sizes;

/// Draws the sizes over the days into an SVG file.
pub fn plot(sizes: &[Sizes], file: &Path) {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let days = sizes.last().map_or(1, |last| last.day) as f64;
    let largest = sizes.iter().map(|one| mebibytes(one.repository)).fold(0.1, f64::max);
    let root = SVGBackend::new(file, (900, 480)).into_drawing_area();
    root.fill(&WHITE).expect("a picture");
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .caption("Hourly backups, rules each day, a prune each week", ("sans-serif", 18))
        .build_cartesian_2d(0.0..days, 0.0..largest * 1.1)
        .expect("a picture");
    chart.configure_mesh().x_desc("days").y_desc("MiB").draw().expect("a picture");
    type Value = fn(&Sizes) -> u64;
    let lines: [(&str, RGBColor, Value); 3] = [
        ("repository", BLUE, |one| one.repository),
        ("catalog of names", RED, |one| one.catalog),
        ("newest state of the files", BLACK, |one| one.source),
    ];
    for (name, color, value) in lines {
        let points = sizes.iter().map(|one| (one.day as f64, mebibytes(value(one))));
        chart
            .draw_series(LineSeries::new(points, &color))
            .expect("a picture")
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color));
    }
    chart.configure_series_labels().background_style(WHITE).draw().expect("a picture");
    root.present().expect("a picture");
}
