//! The path of a prompt below the switch's prompt directory.

use super::{FieldError, checked_string};

checked_string!(
    /// A relative path of letters, digits, `_`, `-`, `.` and `/`, where no part starts with a dot,
    /// so it can name neither a parent, a hidden file, a URL nor a FreeSWITCH stream.
    PromptPath, "file"
);

impl PromptPath {
    /// The longest one, in characters.
    pub const MAX_LEN: usize = 200;

    /// Checks `text`; `field` is the name a refusal speaks of.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let part_ok = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let audio = [".wav", ".WAV"].iter().any(|end| text.ends_with(end));
        if text.len() <= Self::MAX_LEN && audio && text.split('/').all(part_ok) {
            Ok(PromptPath(text.to_owned()))
        } else {
            let expected = "the name of a .wav file below the prompt directory, of letters, digits, '_', '-', '.' \
                            and '/', up to 200 characters, without '..'";
            Err(FieldError::new(field, expected, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_below_the_prompt_directory() {
        for text in ["hello.wav", "en/hello-2.wav", "a.b/c_d.wav"] {
            assert!(PromptPath::parse("file", text).is_ok(), "{text}");
        }
        for text in [
            "",
            "../x.wav",
            "a/../x.wav",
            "/etc/x.wav",
            "http://h/x.wav",
            "|cmd.wav",
            "a b.wav",
            "x.mp3",
            ".x.wav",
            "a//x.wav",
            "x.wav\n",
            "a/./x.wav",
            "{a=b}x.wav",
            "-x.wav",
        ] {
            assert!(PromptPath::parse("file", text).is_err(), "{text:?}");
        }
    }
}
