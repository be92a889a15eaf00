//! The configuration folder: one file a configuration, with `$${name}` expanded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The host's global variables, by name.
pub type Globals = BTreeMap<String, String>;

/// Why a configuration could not be given out.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    reason: String,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// The text of `<configuration name="NAME">` from `autoload_configs/NAME.xml` below `dir`.
pub fn configuration(dir: &Path, name: &str, globals: &Globals) -> Result<String, Unreadable> {
    let path = dir.join("autoload_configs").join(format!("{name}.xml"));
    let unreadable = |reason: String| Unreadable {
        path: path.clone(),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let text = expand(&text, globals);
    let document =
        roxmltree::Document::parse(&text).map_err(|error| unreadable(error.to_string()))?;
    let element = document
        .descendants()
        .find(|node| node.has_tag_name("configuration") && node.attribute("name") == Some(name))
        .ok_or_else(|| unreadable(format!("no <configuration name=\"{name}\">")))?;
    Ok(text[element.range()].to_owned())
}

/// Puts each `$${name}`'s value in its place, as text, before the XML is read; an unknown name
/// stands for nothing.
fn expand(text: &str, globals: &Globals) -> String {
    let mut pieces = text.split("$${");
    let mut expanded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((name, rest)) => {
                expanded.push_str(globals.get(name).map_or("", String::as_str));
                expanded.push_str(rest);
            }
            None => {
                expanded.push_str("$${");
                expanded.push_str(piece);
            }
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &str, set: &[(&str, &str)]) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("autoload_configs")).unwrap();
        std::fs::write(dir.path().join("autoload_configs/x.conf.xml"), content).unwrap();
        let globals = set
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        configuration(dir.path(), name, &globals.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn gives_the_element_with_variables_expanded() {
        let content = "<!-- $${url} --><configuration name=\"x.conf\"><param value=\"$${url}/$${none}a\"/></configuration>\n";
        let expected =
            "<configuration name=\"x.conf\"><param value=\"nats://h:1/a\"/></configuration>";
        assert_eq!(
            read("x.conf", content, &[("url", "nats://h:1")]).unwrap(),
            expected
        );
        let included = format!("<include>{content}</include>");
        assert_eq!(
            read("x.conf", &included, &[("url", "nats://h:1")]).unwrap(),
            expected
        );
    }

    #[test]
    fn an_open_brace_stays_as_it_is() {
        assert_eq!(expand("a $${b", &Globals::new()), "a $${b");
        assert_eq!(expand("$${}$${b}", &Globals::new()), "");
    }

    #[test]
    fn each_failure_names_the_file() {
        for (name, content, reason) in [
            ("y.conf", "", "No such file"),
            ("x.conf", "<configuration", "x.conf.xml"),
            (
                "x.conf",
                "<configuration name=\"z.conf\"/>",
                "no <configuration name=\"x.conf\">",
            ),
        ] {
            let error = read(name, content, &[]).unwrap_err();
            assert!(error.contains(reason) && error.contains(name), "{error}");
        }
    }
}
