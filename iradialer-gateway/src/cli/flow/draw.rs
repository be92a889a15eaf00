//! `flow draw`: a flow as an SVG. Each node is a box with a row for each way out of it; from the row a line
//! leads to the next node, and where it leads back, ends the call or leaves the flow the row says so.

use super::layout::{ENTRY, Line, Plan};
use super::text;
use iradialer_core::flow::{Exit, Flow, Node, Step, Target};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BOX_WIDTH: f64 = 230.0;
const COLUMN_WIDTH: f64 = 320.0;
const HEAD: f64 = 28.0;
const LINE_HEIGHT: f64 = 19.0;
const MARGIN: f64 = 24.0;
/// Room for the flow's name.
const TITLE: f64 = 30.0;
/// How many characters fit into a box.
const FITS: usize = 36;

/// Draws the flow.
pub(super) fn svg(flow: &Flow) -> String {
    let boxes = boxes(flow);
    let places: BTreeMap<&str, usize> = boxes.iter().map(|drawn| drawn.name).zip(0..).collect();
    let mut plan = Plan {
        heights: boxes.iter().map(Box::height).collect(),
        lines: Vec::new(),
    };
    // The line of each row that has one.
    let mut rows: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (from, drawn) in boxes.iter().enumerate() {
        for (row, exit) in drawn.exits.iter().enumerate() {
            if let Target::Node(name) = exit.target
                && let Some(&to) = places.get(name.as_str())
            {
                rows.insert((from, row), plan.lines.len());
                plan.lines.push(Line {
                    from,
                    port: drawn.row_middle(row),
                    to,
                });
            }
        }
    }
    let layout = plan.lay_out();
    let x = |place: usize| MARGIN + layout.columns[place] as f64 * COLUMN_WIDTH;
    let y = |place: usize| MARGIN + TITLE + layout.tops[place];
    let right = (0..boxes.len())
        .map(|place| x(place) + BOX_WIDTH)
        .fold(0.0, f64::max);
    let lowest_box = (0..boxes.len())
        .map(|place| y(place) + boxes[place].height())
        .fold(0.0, f64::max);
    let lanes = layout.lanes.iter().flatten().flatten();
    let bottom = lanes.fold(lowest_box, |lowest, lane| lowest.max(MARGIN + TITLE + lane));
    let mut drawing = Drawing::default();
    for (line, lanes) in plan.lines.iter().zip(&layout.lanes) {
        let Some(lanes) = lanes else { continue };
        let mut points = vec![(x(line.from) + BOX_WIDTH, y(line.from) + line.port)];
        for (passed, lane) in (1..).zip(lanes) {
            let left = x(line.from) + f64::from(passed) * COLUMN_WIDTH;
            let level = MARGIN + TITLE + lane;
            points.extend([(left, level), (left + BOX_WIDTH, level)]);
        }
        points.push((x(line.to) - 7.0, y(line.to) + ENTRY));
        drawing.line(&points, boxes[line.from].colour());
    }
    for (place, drawn) in boxes.iter().enumerate() {
        drawing.node(drawn, place == 0, (x(place), y(place)), |row| {
            rows.get(&(place, row))
                .is_some_and(|line| layout.lanes[*line].is_some())
        });
    }
    drawing.finish(&flow.name, right + MARGIN, bottom + MARGIN)
}

/// A node as it is drawn.
struct Box<'f> {
    name: &'f str,
    node: &'f Node,
    exits: Vec<Exit<'f>>,
}

/// The nodes, the start first.
fn boxes(flow: &Flow) -> Vec<Box<'_>> {
    let mut boxes: Vec<Box<'_>> = flow
        .nodes
        .iter()
        .map(|(name, node)| Box {
            name,
            node,
            exits: node.exits(),
        })
        .collect();
    boxes.sort_by_key(|drawn| drawn.name != flow.start);
    boxes
}

impl Box<'_> {
    fn height(&self) -> f64 {
        HEAD + LINE_HEIGHT * (self.exits.len() as f64 + 1.0) + 8.0
    }

    /// The middle of the row of a way out, from the top.
    fn row_middle(&self, row: usize) -> f64 {
        HEAD + LINE_HEIGHT * (row as f64 + 1.5) + 2.0
    }

    fn colour(&self) -> &'static str {
        match self.node.step {
            Step::Play(_) | Step::Say(_) => "#2f6fb3",
            Step::Menu(_) | Step::Collect(_) | Step::Confirm(_) => "#7a4ea3",
            Step::Branch(_) | Step::Set(_) | Step::Goto(_) => "#5c6b73",
            Step::Record(_) | Step::Wait(_) => "#2a8177",
            Step::Request(_) | Step::Transfer(_) => "#b06a1b",
            Step::Dnc(_) | Step::Hangup(_) => "#a83a3a",
        }
    }
}

#[derive(Default)]
struct Drawing {
    body: String,
}

impl Drawing {
    /// A line through the points: level where it passes a column, curved between columns.
    fn line(&mut self, points: &[(f64, f64)], colour: &str) {
        let Some(((x, y), rest)) = points.split_first() else {
            return;
        };
        let mut path = format!("M{x:.1} {y:.1}");
        let mut last = (*x, *y);
        for (place, (x, y)) in rest.iter().enumerate() {
            if place % 2 == 1 {
                let _ = write!(path, " L{x:.1} {y:.1}");
            } else {
                let half = (x - last.0) / 2.0;
                let _ = write!(
                    path,
                    " C{:.1} {:.1} {:.1} {y:.1} {x:.1} {y:.1}",
                    last.0 + half,
                    last.1,
                    x - half
                );
            }
            last = (*x, *y);
        }
        let _ = writeln!(
            self.body,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.75\" stroke-width=\"1.6\" marker-end=\"url(#tip)\"/>"
        );
    }

    fn node(
        &mut self,
        drawn: &Box<'_>,
        is_start: bool,
        (x, y): (f64, f64),
        has_line: impl Fn(usize) -> bool,
    ) {
        let (height, colour) = (drawn.height(), drawn.colour());
        let step = drawn.node.step.name();
        let summary = text::step(&drawn.node.step);
        let _ = writeln!(
            self.body,
            "<g><title>{}: {}</title>",
            escaped(drawn.name),
            escaped(&summary)
        );
        let border = if is_start { 3.0 } else { 1.2 };
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"6\" fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"{border}\"/>"
        );
        let _ = writeln!(
            self.body,
            "<path d=\"M{x:.1} {:.1} v-{} q0 -6 6 -6 h{} q6 0 6 6 v{} z\" fill=\"{colour}\"/>",
            y + HEAD,
            HEAD - 6.0,
            BOX_WIDTH - 12.0,
            HEAD - 6.0
        );
        let irreversible = if drawn.node.irreversible { " ⚠" } else { "" };
        let name = text::shortened(drawn.name, FITS - step.len() - 4);
        self.text(
            (x + 9.0, y + 19.0),
            "head",
            &format!("{name}{irreversible}"),
        );
        self.text((x + BOX_WIDTH - 9.0, y + 19.0), "step", step);
        self.text(
            (x + 9.0, y + HEAD + 15.0),
            "what",
            &text::shortened(&summary, FITS),
        );
        for (row, exit) in drawn.exits.iter().enumerate() {
            let level = y + drawn.row_middle(row) + 4.0;
            let elsewhere = match exit.target {
                Target::Node(name) if !has_line(row) => format!("↺ {name}"),
                Target::Node(_) => String::new(),
                Target::Back => "↩ back".to_owned(),
                Target::Hangup => "■ hang up".to_owned(),
            };
            let room = FITS.saturating_sub(elsewhere.chars().count().min(FITS / 2) + 1);
            self.text(
                (x + 9.0, level),
                "exit",
                &text::shortened(&exit.label, room),
            );
            self.text(
                (x + BOX_WIDTH - 9.0, level),
                "to",
                &text::shortened(&elsewhere, FITS / 2 + 2),
            );
        }
        self.body.push_str("</g>\n");
    }

    fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(
                self.body,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>",
                escaped(text)
            );
        }
    }

    fn finish(self, name: &str, width: f64, height: f64) -> String {
        let name = escaped(name);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
             <title>{name}</title>\n<style>\n\
             text {{ font: 12px system-ui, sans-serif; fill: #222 }}\n\
             .name {{ font-size: 16px; font-weight: 600 }}\n\
             .head {{ font-weight: 600; fill: #fff }}\n.step {{ fill: #fff; fill-opacity: 0.85; text-anchor: end }}\n\
             .what {{ fill: #555; font-style: italic; font-size: 11px }}\n.to {{ fill: #777; text-anchor: end }}\n\
             </style>\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"2\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
             <path d=\"M0 0 L8 4 L0 8 z\" fill=\"#555\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fafafa\"/>\n\
             <text x=\"{MARGIN}\" y=\"{:.0}\" class=\"name\">{name}</text>\n{}</svg>\n",
            MARGIN + 8.0,
            self.body
        )
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to write most of them.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
