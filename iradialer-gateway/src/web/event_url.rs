//! The address of a webhook, as far as it can be judged before it is used.

use iradialer_core::value::FieldError;
use reqwest::Url;

/// The longest address, in bytes.
const MAX_LEN: usize = 2_048;

/// Checks the form of a webhook's address. Whether its host may be connected to is found out at each
/// delivery, after its name is resolved.
pub fn check_event_url(field: &str, text: &str) -> Result<(), FieldError> {
    let url = Url::parse(text).ok().filter(|url| {
        text.len() <= MAX_LEN
            // The parser forgives much: it drops tabs and newlines, and reads `https:\\x` as it should
            // have been written. What others read in the text must be what it reads.
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            && ["http://", "https://"].iter().any(|start| {
                let host = text.strip_prefix(start);
                host.is_some_and(|host| !host.starts_with('/'))
            })
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    match url {
        Some(_) => Ok(()),
        None => {
            let expected = "an http:// or https:// address of up to 2048 printable ASCII characters, \
                            without user, password or fragment";
            Err(FieldError::new(field, expected, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_pass() {
        for text in ["https://a.example/hook?x=1", "http://127.0.0.1:8080/"] {
            assert!(check_event_url("event_url", text).is_ok(), "{text}");
        }
        for text in [
            "",
            "a.example",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://user:secret@a.example/",
            "https://a.example/#part",
            "https://a.example/\r\nX: y",
            "https:///x",
            "https:x",
            "https://a\\b/",
            "HTTPS://a.example/",
            "https://a b/",
        ] {
            assert!(check_event_url("event_url", text).is_err(), "{text:?}");
        }
        let long = format!("https://a.example/{}", "x".repeat(2_048));
        assert!(check_event_url("event_url", &long).is_err());
    }
}
