//! `iradialer.conf.xml` as it is shipped, with some values changed. The rig starts every switch with the
//! shipped file, so a parameter the module does not know, or one it needs, shows in every suite.

use anyhow::{Result, bail};
use std::ops::Range;

/// The file's text with the value of each of `params` replaced. A parameter the file does not have is an
/// error.
pub fn with_params<'a>(
    text: &str,
    params: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String> {
    let mut text = text.to_owned();
    for (name, value) in params {
        let found = place(&text, name)?;
        text.replace_range(found, &escaped(value));
    }
    Ok(text)
}

/// The value of a parameter in such a file, or in a part of one.
pub fn value_of<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    Ok(&text[place(text, name)?])
}

/// Where the value of a parameter is.
fn place(text: &str, name: &str) -> Result<Range<usize>> {
    let start = format!("<param name=\"{name}\" value=\"");
    let Some(at) = text.find(&start).map(|found| found + start.len()) else {
        bail!("iradialer.conf.xml has no parameter '{name}'");
    };
    let Some(len) = text[at..].find('"') else {
        bail!("iradialer.conf.xml: the value of '{name}' has no end");
    };
    Ok(at..at + len)
}

fn escaped(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_replaced_by_name() {
        let text = r#"<param name="a" value="1"/><param name="b" value=""/>"#;
        let changed = with_params(text, [("b", "x\"y"), ("a", "22")]).unwrap();
        assert_eq!(
            changed,
            r#"<param name="a" value="22"/><param name="b" value="x&quot;y"/>"#
        );
        assert_eq!(value_of(&changed, "a").unwrap(), "22");
        assert!(
            with_params(text, [("c", "1")])
                .unwrap_err()
                .to_string()
                .contains("'c'")
        );
    }
}
