use super::*;
use proptest::prelude::*;

fn plan() -> impl Strategy<Value = Plan> {
    (1..30_usize).prop_flat_map(|boxes| {
        let heights = proptest::collection::vec(40.0..200.0_f64, boxes);
        let lines = proptest::collection::vec((0..boxes, 0..boxes, 10.0..40.0_f64), 0..60);
        (heights, lines).prop_map(|(heights, mut lines)| {
            lines.sort_by_key(|line| line.0);
            let lines = lines
                .into_iter()
                .map(|(from, to, port)| Line { from, port, to })
                .collect();
            Plan { heights, lines }
        })
    })
}

proptest! {
    #[test]
    fn boxes_never_lie_on_each_other_and_lines_lead_on(plan in plan()) {
        let layout = plan.lay_out();
        for one in 0..plan.heights.len() {
            prop_assert!(layout.tops[one] >= -1e-6);
            for other in one + 1..plan.heights.len() {
                if layout.columns[one] == layout.columns[other] {
                    let (upper, lower) = if layout.tops[one] < layout.tops[other] { (one, other) } else { (other, one) };
                    let end = layout.tops[upper] + plan.heights[upper];
                    prop_assert!(end <= layout.tops[lower] + 1e-6, "{end} {}", layout.tops[lower]);
                }
            }
        }
        for (line, lanes) in plan.lines.iter().zip(&layout.lanes) {
            if let Some(lanes) = lanes {
                prop_assert!(layout.columns[line.from] < layout.columns[line.to]);
                prop_assert_eq!(lanes.len(), layout.columns[line.to] - layout.columns[line.from] - 1);
            }
        }
    }
}

#[test]
fn a_ring_is_drawn_but_for_the_line_back() {
    let line = |from, to| Line {
        from,
        port: 20.0,
        to,
    };
    let plan = Plan {
        heights: vec![50.0; 3],
        lines: vec![line(0, 1), line(1, 2), line(2, 0), line(2, 2)],
    };
    let layout = plan.lay_out();
    assert_eq!(layout.columns, [0, 1, 2]);
    let drawn: Vec<bool> = layout.lanes.iter().map(Option::is_some).collect();
    assert_eq!(drawn, [true, true, false, false]);
}

#[test]
fn lines_of_two_do_not_cross_without_need() {
    // 0 leads to 2 by its upper port and to 1 by its lower one: 2 has to stand above 1.
    let plan = Plan {
        heights: vec![80.0, 40.0, 40.0],
        lines: vec![
            Line {
                from: 0,
                port: 20.0,
                to: 2,
            },
            Line {
                from: 0,
                port: 60.0,
                to: 1,
            },
        ],
    };
    let layout = plan.lay_out();
    assert!(layout.tops[2] < layout.tops[1], "{layout:?}");
}
