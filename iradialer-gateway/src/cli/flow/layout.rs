//! Where the boxes of a drawing stand: in columns from left to right by how far each is from the start, and
//! in a column so that lines cross little and are short. (After Sugiyama, Tagawa and Toda, 1981.)

use std::collections::BTreeMap;

/// Room between two boxes of a column.
const GAP: f64 = 28.0;
/// Height that a line takes which passes a column.
const LANE: f64 = 10.0;
/// How often columns are put in order, and how often boxes are moved towards what they are connected with.
const SWEEPS: usize = 12;

/// What is to be laid out: boxes and lines. The first box is the start.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The height of each box.
    pub heights: Vec<f64>,
    /// The lines, in the order of the boxes they begin at.
    pub lines: Vec<Line>,
}

/// A line from one box to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The box it begins at.
    pub from: usize,
    /// How far below that box's top.
    pub port: f64,
    /// The box it leads to.
    pub to: usize,
}

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Layout {
    /// The column of each box.
    pub columns: Vec<usize>,
    /// The top of each box.
    pub tops: Vec<f64>,
    /// The heights at which each line passes the columns between its ends; `None` for a line that leads back,
    /// which is not drawn.
    pub lanes: Vec<Option<Vec<f64>>>,
}

/// A box, or a line where it passes a column.
struct Item {
    column: usize,
    height: f64,
    top: f64,
    /// Items of the columns before and after, and the height within this item and that one where they meet.
    before: Vec<(usize, f64, f64)>,
    after: Vec<(usize, f64, f64)>,
}

/// How far below a box's top a line comes in.
pub(super) const ENTRY: f64 = 14.0;

impl Plan {
    pub(super) fn lay_out(&self) -> Layout {
        let back = self.lines_back();
        let columns = self.columns(&back);
        let mut items: Vec<Item> = self
            .heights
            .iter()
            .zip(&columns)
            .map(|(height, column)| Item::new(*column, *height))
            .collect();
        let chains: Vec<Option<Vec<usize>>> = self
            .lines
            .iter()
            .zip(&back)
            .map(|(line, back)| (!back).then(|| chain(&mut items, line, &columns)))
            .collect();
        let mut order = by_column(&items);
        for sweep in 0..SWEEPS {
            sort(&items, &mut order, sweep % 2 == 0);
        }
        place(&mut items, &order);
        Layout {
            tops: items
                .iter()
                .take(self.heights.len())
                .map(|item| item.top)
                .collect(),
            columns,
            lanes: chains
                .into_iter()
                .map(|chain| {
                    chain.map(|chain| {
                        chain
                            .iter()
                            .map(|item| items[*item].top + LANE / 2.0)
                            .collect()
                    })
                })
                .collect(),
        }
    }

    /// Which lines lead back to a box that one has come through: without them there are no rings.
    fn lines_back(&self) -> Vec<bool> {
        let mut back = vec![false; self.lines.len()];
        let mut state = vec![0_u8; self.heights.len()];
        let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); self.heights.len()];
        for (place, line) in self.lines.iter().enumerate().rev() {
            leaving[line.from].push(place);
        }
        for start in 0..self.heights.len() {
            if state[start] != 0 {
                continue;
            }
            state[start] = 1;
            let mut walk = vec![start];
            while let Some(&at) = walk.last() {
                match leaving[at].pop() {
                    None => {
                        state[at] = 2;
                        walk.pop();
                    }
                    Some(line) => match state[self.lines[line].to] {
                        0 => {
                            state[self.lines[line].to] = 1;
                            walk.push(self.lines[line].to);
                        }
                        1 => back[line] = true,
                        _ => {}
                    },
                }
            }
        }
        back
    }

    /// The column of each box: one after the last of those that lead to it.
    fn columns(&self, back: &[bool]) -> Vec<usize> {
        let mut columns = vec![0; self.heights.len()];
        // At most as many rounds as there are boxes, as there are no rings.
        for _ in 0..self.heights.len() {
            let mut moved = false;
            for (line, _) in self.lines.iter().zip(back).filter(|(_, back)| !**back) {
                if columns[line.to] <= columns[line.from] {
                    columns[line.to] = columns[line.from] + 1;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        columns
    }
}

impl Item {
    fn new(column: usize, height: f64) -> Self {
        Item {
            column,
            height,
            top: 0.0,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Where the item would have to stand for its lines to be level.
    fn wish(&self, items: &[Item], forward: bool) -> Option<f64> {
        let ends = if forward { &self.before } else { &self.after };
        let mut tops: Vec<f64> = ends
            .iter()
            .map(|(other, here, there)| items[*other].top + there - here)
            .collect();
        tops.sort_by(f64::total_cmp);
        match tops.len() {
            0 => None,
            count => Some((tops[(count - 1) / 2] + tops[count / 2]) / 2.0),
        }
    }
}

/// Puts an item into each column that the line passes, and connects them.
fn chain(items: &mut Vec<Item>, line: &Line, columns: &[usize]) -> Vec<usize> {
    let mut chain = Vec::new();
    let (mut at, mut port) = (line.from, line.port);
    for column in columns[line.from] + 1..columns[line.to] {
        items.push(Item::new(column, LANE));
        let lane = items.len() - 1;
        connect(items, at, lane, port, LANE / 2.0);
        (at, port) = (lane, LANE / 2.0);
        chain.push(lane);
    }
    connect(items, at, line.to, port, ENTRY);
    chain
}

fn connect(items: &mut [Item], from: usize, to: usize, port: f64, entry: f64) {
    items[from].after.push((to, port, entry));
    items[to].before.push((from, entry, port));
}

fn by_column(items: &[Item]) -> Vec<Vec<usize>> {
    let count = items.iter().map(|item| item.column + 1).max().unwrap_or(0);
    let mut order = vec![Vec::new(); count];
    for (place, item) in items.iter().enumerate() {
        order[item.column].push(place);
    }
    order
}

/// Puts each column in the order of where its items' lines come from, or lead to.
fn sort(items: &[Item], order: &mut [Vec<usize>], forward: bool) {
    let columns: Vec<usize> = match forward {
        true => (0..order.len()).collect(),
        false => (0..order.len()).rev().collect(),
    };
    let mut rank: BTreeMap<usize, f64> = BTreeMap::new();
    for column in columns {
        let weight = |item: usize| {
            let ends = if forward {
                &items[item].before
            } else {
                &items[item].after
            };
            let ranks: Vec<f64> = ends
                .iter()
                .filter_map(|(other, _, there)| {
                    let share = there / items[*other].height.max(1.0);
                    rank.get(other).map(|rank| rank + share.min(0.99))
                })
                .collect();
            (!ranks.is_empty()).then(|| ranks.iter().sum::<f64>() / ranks.len() as f64)
        };
        let mut weighed: Vec<(f64, usize)> = order[column]
            .iter()
            .enumerate()
            .map(|(place, item)| (weight(*item).unwrap_or(place as f64), *item))
            .collect();
        weighed.sort_by(|one, other| one.0.total_cmp(&other.0));
        order[column] = weighed.into_iter().map(|(_, item)| item).collect();
        rank.extend(
            order[column]
                .iter()
                .enumerate()
                .map(|(place, item)| (*item, place as f64)),
        );
    }
}

/// Finds the height of each item, in the order there is.
fn place(items: &mut [Item], order: &[Vec<usize>]) {
    for column in order {
        let wishes = vec![None; column.len()];
        settle(items, column, &wishes);
    }
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        let columns: Vec<&Vec<usize>> = match forward {
            true => order.iter().collect(),
            false => order.iter().rev().collect(),
        };
        for column in columns {
            let wishes: Vec<Option<f64>> = column
                .iter()
                .map(|item| items[*item].wish(items, forward))
                .collect();
            settle(items, column, &wishes);
        }
    }
    let highest = items
        .iter()
        .map(|item| item.top)
        .fold(f64::INFINITY, f64::min);
    for item in items {
        item.top -= highest;
    }
}

/// Moves the items of a column as near to their wishes as order and room allow: items that would lie on each
/// other make a block, which stands where the mean of its wishes is.
fn settle(items: &mut [Item], column: &[usize], wishes: &[Option<f64>]) {
    struct Block {
        /// The sum of where its first item would stand for each wish, and how many there are.
        sum: f64,
        count: f64,
        length: f64,
        members: Vec<usize>,
    }
    impl Block {
        fn top(&self) -> f64 {
            self.sum / self.count
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (item, wish) in column.iter().zip(wishes) {
        let (height, top) = (items[*item].height, items[*item].top);
        let mut block = Block {
            sum: wish.unwrap_or(top),
            count: 1.0,
            length: height + GAP,
            members: vec![*item],
        };
        while let Some(above) = blocks.pop_if(|above| above.top() + above.length > block.top()) {
            block = Block {
                sum: above.sum + block.sum - block.count * above.length,
                count: above.count + block.count,
                length: above.length + block.length,
                members: above.members.into_iter().chain(block.members).collect(),
            };
        }
        blocks.push(block);
    }
    for block in blocks {
        let mut top = block.top();
        for item in block.members {
            items[item].top = top;
            top += items[item].height + GAP;
        }
    }
}

#[cfg(test)]
mod tests;
