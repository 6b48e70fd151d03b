//! A picture of values over time as steps, an SVG document.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::xml::Escaped;

/// Values over time.
#[derive(Clone, Debug)]
pub struct Steps {
    /// What it shows.
    pub title: String,
    /// The same in a sentence or two, for who does not see it.
    pub description: String,
    /// The steps, the oldest first.
    pub steps: Vec<Step>,
    /// Days that are marked below.
    pub marks: Vec<Date>,
}

/// A value, and when it was seen.
#[derive(Clone, Debug)]
pub struct Step {
    /// The first time.
    pub from: Timestamp,
    /// The last time.
    pub to: Timestamp,
    /// How high it is.
    pub height: u32,
    /// The value in words.
    pub label: String,
}

/// The size of the picture, and of the area of the steps in it, in pixels.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 44.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;
/// The most labels on each axis, so that none lies on another.
const MAX_LABELS: usize = 8;
/// The most marks; with more they would be one line.
const MAX_MARKS: usize = 130;
/// The colours on light and on dark ground, each with a contrast of 4.5 and more (WCAG 2.2, 1.4.3).
const STYLE: &str = concat!(
    ".wintag-steps{font:12px system-ui,sans-serif;background:#fff;color:#1b1b1b}",
    ".wintag-steps text{fill:currentColor}",
    ".wintag-steps path{fill:none;stroke:#1565c0;stroke-width:2}",
    ".wintag-steps circle{fill:#1565c0}",
    ".wintag-steps .gap{stroke-dasharray:3 4;stroke-width:1}",
    ".wintag-steps .axis{stroke:currentColor;stroke-width:1}",
    "@media(prefers-color-scheme:dark){",
    ".wintag-steps{background:#16181b;color:#e8e8e8}",
    ".wintag-steps path{stroke:#8ab4f8}.wintag-steps circle{fill:#8ab4f8}",
    ".wintag-steps .axis{stroke:currentColor}}",
);

impl Steps {
    /// The picture. A step is a line where it was seen, and broken lines join it to the next. It
    /// has no identifiers, so that several can stand in one page.
    pub fn svg(&self) -> String {
        let (title, description) = (Escaped(&self.title), Escaped(&self.description));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"wintag-steps\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\"><title>{title}</title><desc>{description}</desc><style>{STYLE}\
             </style><text x=\"{LEFT}\" y=\"24\">{title}</text>"
        );
        let [Some(first), Some(last)] = [self.steps.first(), self.steps.last()] else {
            return svg + "</svg>\n";
        };
        let scale = Scale::new(self, first.from, last.to);
        let (x, y) = (|at| scale.x(at), |height| scale.y(height));
        let floor = HEIGHT - BOTTOM;
        let mut before: Option<&Step> = None;
        for step in &self.steps {
            let (from, to, level) = (x(step.from), x(step.to), y(step.height));
            if let Some(before) = before {
                let (end, was) = (x(before.to), y(before.height));
                let _ = write!(
                    svg,
                    "<path class=\"gap\" d=\"M{end:.1} {was:.1}H{from:.1}V{level:.1}\"/>"
                );
            }
            let label = Escaped(&step.label);
            let _ = write!(
                svg,
                "<g><title>{label}</title><path d=\"M{from:.1} {level:.1}H{to:.1}\"/><circle \
                 cx=\"{from:.1}\" cy=\"{level:.1}\" r=\"3\"/></g>"
            );
            before = Some(step);
        }
        let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{floor}H{}\"/>", WIDTH - RIGHT);
        for mark in self.marks.iter().take(MAX_MARKS) {
            let at = mark.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
            let Some(at) = at.ok().filter(|at| (first.from..=last.to).contains(at)) else {
                continue;
            };
            let _ = write!(svg, "<path class=\"axis\" d=\"M{:.1} {floor}v5\"/>", x(at));
        }
        for step in every(&self.steps, MAX_LABELS) {
            let (level, day) = (y(step.height) + 4.0, step.from.to_zoned(TimeZone::UTC).date());
            let label = Escaped(step.label.split(' ').next().unwrap_or_default());
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{level:.1}\" text-anchor=\"end\">{label}</text><text \
                 x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{day}</text>",
                LEFT - 8.0,
                x(step.from),
                floor + 24.0,
            );
        }
        svg + "</svg>\n"
    }
}

/// At most this number of them, evenly, with the first and the last.
fn every(steps: &[Step], most: usize) -> impl Iterator<Item = &Step> {
    let last = steps.len().saturating_sub(1);
    let count = steps.len().min(most);
    let mut at: Vec<usize> =
        (0..count).map(|number| number * last / count.saturating_sub(1).max(1)).collect();
    at.dedup();
    at.into_iter().filter_map(|at| steps.get(at))
}

/// Where times and heights are in the picture.
struct Scale {
    from: Timestamp,
    seconds: f64,
    low: u32,
    height: f64,
}

impl Scale {
    fn new(steps: &Steps, from: Timestamp, to: Timestamp) -> Self {
        let heights = || steps.steps.iter().map(|step| step.height);
        let low = heights().min().unwrap_or_default();
        let high = heights().max().unwrap_or_default();
        Self {
            from,
            seconds: to.duration_since(from).as_secs_f64().max(1.0),
            low,
            height: f64::from(high.saturating_sub(low)).max(1.0),
        }
    }

    fn x(&self, at: Timestamp) -> f64 {
        let part = at.duration_since(self.from).as_secs_f64() / self.seconds;
        LEFT + (WIDTH - LEFT - RIGHT) * part
    }

    fn y(&self, height: u32) -> f64 {
        let part = f64::from(height.saturating_sub(self.low)) / self.height;
        HEIGHT - BOTTOM - 10.0 - (HEIGHT - TOP - BOTTOM - 10.0) * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(day: &str, height: u32, label: &str) -> Step {
        let at: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        Step { from: at, to: at, height, label: label.to_owned() }
    }

    #[test]
    fn texts_cannot_leave_their_place_and_no_number_is_broken() {
        let hostile = "</title><script>\"'&\u{1}";
        for steps in [
            vec![],
            vec![step("2024-02-18", 2322, hostile)],
            vec![step("2024-02-18", 2322, "a"), step("2024-03-16", 2340, hostile)],
            (1..29).map(|day| step(&format!("2024-02-{day:02}"), day, hostile)).collect(),
        ] {
            let marks = vec!["2024-03-12".parse().unwrap()];
            let (title, description) = (hostile.to_owned(), hostile.to_owned());
            let svg = Steps { title, description, steps, marks }.svg();
            assert!(!svg.contains("<script>") && !svg.contains("NaN"), "{svg}");
            assert!(svg.ends_with("</svg>\n") && svg.contains("<desc>"));
        }
    }
}
