//! Tab completion as the host's console offers it.

/// The word that stands for the uuids of all calls.
const LIST_UUID: &str = "::console::list_uuid";

/// The paths of words that modules registered.
#[derive(Debug, Default)]
pub struct Completions {
    paths: Vec<Vec<String>>,
}

impl Completions {
    /// `add WORD…` adds a path, `del WORD…` removes every path that begins so, `del *` all.
    /// False for anything else.
    pub fn set(&mut self, command: &str) -> bool {
        let mut words = command.split_whitespace().map(str::to_owned);
        let Some(verb) = words.next() else {
            return false;
        };
        let path: Vec<String> = words.collect();
        match verb.as_str() {
            "add" if !path.is_empty() => {
                if !self.paths.contains(&path) {
                    self.paths.push(path);
                }
                true
            }
            "del" if path == ["*"] => {
                self.paths.clear();
                true
            }
            "del" if !path.is_empty() => {
                self.paths.retain(|known| !known.starts_with(&path));
                true
            }
            _ => false,
        }
    }

    /// The words that may follow in `text`, whose last word may be begun. `uuids` are the
    /// calls of the moment.
    pub fn candidates(&self, text: &str, uuids: &[String]) -> Vec<String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let begun = match text.ends_with(char::is_whitespace) || text.is_empty() {
            true => "",
            false => words.pop().unwrap_or_default(),
        };
        let mut found = Vec::new();
        for path in &self.paths {
            let before = path.iter().zip(&words);
            let fits = before.clone().count() == words.len()
                && before
                    .into_iter()
                    .all(|(known, word)| fits(known, word, uuids));
            let Some(next) = path.get(words.len()).filter(|_| fits) else {
                continue;
            };
            match next.as_str() {
                LIST_UUID => found.extend(uuids.iter().cloned()),
                word => found.push(word.to_owned()),
            }
        }
        found.retain(|word| word.starts_with(begun));
        found.sort();
        found.dedup();
        found
    }
}

fn fits(known: &str, word: &str, uuids: &[String]) -> bool {
    match known {
        LIST_UUID => uuids.iter().any(|uuid| uuid == word),
        known => known == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_word_by_word() {
        let mut completions = Completions::default();
        for path in [
            "calls",
            "status",
            "show ::console::list_uuid",
            "hangup ::console::list_uuid",
        ] {
            assert!(completions.set(&format!("add iradialer {path}")));
        }
        let uuids = ["aa-1".to_owned(), "ab-2".to_owned()];
        let of = |text| completions.candidates(text, &uuids);
        assert_eq!(of(""), ["iradialer"]);
        assert_eq!(of("ira"), ["iradialer"]);
        assert_eq!(of("iradialer "), ["calls", "hangup", "show", "status"]);
        assert_eq!(of("iradialer s"), ["show", "status"]);
        assert_eq!(of("iradialer show "), ["aa-1", "ab-2"]);
        assert_eq!(of("iradialer show ab"), ["ab-2"]);
        assert_eq!(of("iradialer status "), Vec::<String>::new());
        assert_eq!(of("other"), Vec::<String>::new());
    }

    #[test]
    fn removes_what_begins_so() {
        let mut completions = Completions::default();
        completions.set("add a b");
        completions.set("add a c");
        completions.set("add d");
        assert!(completions.set("del a"));
        assert_eq!(completions.candidates("", &[]), ["d"]);
        assert!(completions.set("del *"));
        assert!(completions.paths.is_empty());
        for wrong in ["", "add", "del", "list a"] {
            assert!(!completions.set(wrong), "{wrong:?}");
        }
    }
}
