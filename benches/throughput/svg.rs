//! A chart of a few lines, as SVG.

/// One line of a chart.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// How the axis below runs. The axis at the side begins at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Each step to the right multiplies.
    Logarithmic,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// Told apart by people who see few colours, too.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const LINES: u32 = 5;

/// Draws all series into one frame.
pub(crate) fn chart(title: &str, x_title: &str, y_title: &str, scale: Scale, series: &[Series]) -> String {
    let all = || series.iter().flat_map(|series| &series.points).copied();
    let x_of = |x: f64| if scale == Scale::Logarithmic { x.max(1.0).log10() } else { x };
    let x_min = all().map(|(x, _)| x_of(x)).fold(f64::INFINITY, f64::min);
    let x_max = all().map(|(x, _)| x_of(x)).fold(f64::NEG_INFINITY, f64::max);
    let y_max = ceiling(all().map(|(_, y)| y).fold(0.0, f64::max));
    let place = |(x, y): (f64, f64)| {
        let part = (x_of(x) - x_min) / (x_max - x_min).max(1e-9);
        (LEFT + part * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / y_max * (HEIGHT - TOP - BOTTOM))
    };
    let mut body = String::new();
    let mut put = |element: String| {
        body.push_str(&element);
        body.push('\n');
    };
    put(text(WIDTH / 2.0, 20.0, "middle", title));
    put(text(WIDTH / 2.0, HEIGHT - 10.0, "middle", x_title));
    put(text(LEFT, TOP - 12.0, "end", y_title));
    for line in 0..=LINES {
        let value = y_max * f64::from(line) / f64::from(LINES);
        let (_, y) = place((1.0, value));
        put(format!("<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>", WIDTH - RIGHT));
        put(text(LEFT - 6.0, y + 4.0, "end", &brief(value)));
    }
    let mut ticks: Vec<f64> = all().map(|(x, _)| x).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    if ticks.len() > 12 {
        ticks = (0..=6).map(|step| x_min + (x_max - x_min) * f64::from(step) / 6.0).collect();
    }
    for tick in ticks {
        let (x, _) = place((tick, 0.0));
        put(text(x, HEIGHT - BOTTOM + 16.0, "middle", &brief(tick)));
    }
    for (number, (series, colour)) in series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let mut path = String::new();
        for point in &series.points {
            let (x, y) = place(*point);
            path.push_str(&format!("{x:.1},{y:.1} "));
            put(format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>"));
        }
        put(format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>", path.trim()));
        let y = 36.0;
        let x = LEFT + 20.0 + 200.0 * number as f64;
        put(format!("<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>", y - 6.0));
        put(text(x + 18.0, y, "start", &series.name));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
}

/// The next number above that is easy to divide by five.
fn ceiling(number: f64) -> f64 {
    let unit = 10_f64.powf(number.max(1e-9).log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * unit).find(|step| *step >= number).unwrap_or(number)
}

fn brief(number: f64) -> String {
    match number {
        1e6.. => format!("{}M", rounded(number / 1e6)),
        1e3.. => format!("{}k", rounded(number / 1e3)),
        _ => rounded(number),
    }
}

fn rounded(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
