//! What is shown on a terminal.

/// The most characters that are shown of one text.
const SHOWN: usize = 2_000;

/// What other machines and files have said, without what could steer a terminal or turn its text around.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = text.chars().take(SHOWN);
    shown.map(|c| if steers(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(plain("\x1b[2J\u{9b}a\r\nb\u{202e}cé"), " [2J a  b cé");
        assert_eq!(plain(&"x".repeat(SHOWN + 1)).len(), SHOWN);
    }
}
