//! What a run prints: each figure beside its peer's, their ratio, and what it has to be.

/// The rows so far.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 6]>,
}

impl Table {
    /// A figure of ours beside the peer's; the ratio must satisfy `holds`, which `bound` words.
    pub fn compare(
        &mut self,
        what: &str,
        ours: f64,
        peer: f64,
        bound: &str,
        holds: impl FnOnce(f64) -> bool,
    ) {
        let ratio = ours / peer;
        self.row(
            what,
            format!("{ours:.2}"),
            format!("{peer:.2}"),
            format!("{ratio:.2}"),
            bound,
            holds(ratio),
        );
    }

    /// A figure of ours beside another's, if there is one; it is ours that has to be so.
    pub fn beside(&mut self, what: &str, ours: f64, peer: Option<f64>, bound: &str, holds: bool) {
        let text = |figure: Option<f64>| figure.map_or("-".to_owned(), |f| format!("{f:.2}"));
        let ratio = peer.map(|peer| ours / peer);
        self.row(
            what,
            format!("{ours:.2}"),
            text(peer),
            text(ratio),
            bound,
            holds,
        );
    }

    /// A figure that stands alone.
    pub fn alone(&mut self, what: &str, figure: f64, bound: &str, holds: bool) {
        self.row(
            what,
            format!("{figure:.2}"),
            "-".into(),
            "-".into(),
            bound,
            holds,
        );
    }

    fn row(
        &mut self,
        what: &str,
        ours: String,
        peer: String,
        ratio: String,
        bound: &str,
        holds: bool,
    ) {
        let verdict = if holds { "ok" } else { "MISSED" };
        self.rows
            .push([what.into(), ours, peer, ratio, bound.into(), verdict.into()]);
    }

    /// Prints it.
    pub fn print(&self) {
        let head = ["", "iradialer", "peer", "ratio", "wanted", ""].map(str::to_owned);
        let widths: Vec<usize> = (0..6)
            .map(|column| {
                self.rows
                    .iter()
                    .chain([&head])
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }
}
