//! The module's configuration, `iradialer.conf.xml`, with each mistake reported by its name.

mod tts;

pub use tts::{SpeechEngine, TtsConfig};

use crate::recordings::Limits;
use iradialer_core::address::AddressRange;
use iradialer_core::value::{ClusterName, FieldError, NodeId, TrunkName};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What the module needs to know. The defaults are those of `conf/autoload_configs/iradialer.conf.xml`.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// First token of every NATS subject.
    pub cluster: ClusterName,
    /// This switch.
    pub node_id: NodeId,
    /// The NATS server, `nats://host:port` or `tls://host:port`.
    pub nats_url: String,
    /// User, or empty for none.
    pub nats_user: String,
    /// Password; never shown.
    pub nats_password: Secret,
    /// Where prompts are, an absolute path.
    pub prompts_dir: PathBuf,
    /// The most audio of prompts that is kept in memory, 1 to 65,536 MiB.
    pub prompts_memory_mib: u32,
    /// Where fetched and spoken prompts are kept, an absolute path; it is made where there is none. Left out, it
    /// is in the host's own cache folder.
    pub prompts_cache_dir: Option<PathBuf>,
    /// The most of them that is kept there, 1 to 1,048,576 MiB.
    pub prompts_cache_mib: u32,
    /// The addresses that prompts and requests may reach though they are not public.
    pub url_allow: Vec<AddressRange>,
    /// Who speaks texts.
    pub tts: TtsConfig,
    /// Where `iradialer originate NUMBER FLOW` finds flows.
    pub flows_dir: Option<PathBuf>,
    /// The trunk of `iradialer originate`.
    pub default_trunk: Option<TrunkName>,
    /// The directory of the journal, an absolute path; it is made where there is none. Left out, it is
    /// beside the host's own databases.
    pub journal_dir: Option<PathBuf>,
    /// Where recordings are kept, an absolute path; made where there is none. Without one nothing is recorded.
    pub recordings_dir: Option<PathBuf>,
    /// How much of the disk they may take.
    pub recordings: Limits,
    /// The most calls held at once, 1 to 100,000.
    pub max_calls: u32,
    /// The most calls begun a second, 0.1 to 10,000.
    pub max_cps: f64,
    /// How long an unload waits for its calls to end, 100 to 60,000 ms.
    pub unload_wait: Duration,
}

/// A password, kept out of `Debug`, logs and errors.
#[derive(Clone, PartialEq, Default)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, PartialEq)]
pub struct ConfigErrors(pub Vec<FieldError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "iradialer.conf.xml: {error}")?;
        }
        Ok(())
    }
}

const PARAMS: [&str; 21] = [
    "cluster",
    "node-id",
    "nats-url",
    "nats-user",
    "nats-password",
    "prompts-dir",
    "prompts-memory-mib",
    "prompts-cache-dir",
    "prompts-cache-mib",
    "url-allow",
    "tts-engine",
    "flows-dir",
    "default-trunk",
    "journal-dir",
    "recordings-dir",
    "recordings-min-free-mib",
    "recordings-max-mib",
    "recordings-keep-days",
    "max-calls",
    "max-cps",
    "unload-wait-ms",
];

impl Config {
    /// Reads the `<configuration>` element the host hands out, with its variables already expanded.
    /// Every mistake is reported, not the first alone.
    pub fn parse(xml: &str) -> Result<Config, ConfigErrors> {
        let document = roxmltree::Document::parse(xml).map_err(|error| {
            ConfigErrors(vec![FieldError::new(
                "configuration",
                "well-formed XML",
                &error.to_string(),
            )])
        })?;
        let mut reader = Reader {
            params: Vec::new(),
            engines: Vec::new(),
            errors: Vec::new(),
        };
        reader.take_params(&document);
        match tts::engines(&document) {
            Ok(engines) => reader.engines = engines,
            Err(errors) => reader.errors.extend(errors),
        }
        let config = reader.config();
        if reader.errors.is_empty() {
            Ok(config.expect("a configuration without errors is whole"))
        } else {
            Err(ConfigErrors(reader.errors))
        }
    }

    /// This configuration with what takes effect only at a load as `running` has it.
    pub fn until_the_next_load(self, running: &Config) -> Config {
        let running = running.clone();
        Config {
            cluster: running.cluster,
            node_id: running.node_id,
            nats_url: running.nats_url,
            nats_user: running.nats_user,
            nats_password: running.nats_password,
            prompts_memory_mib: running.prompts_memory_mib,
            prompts_cache_dir: running.prompts_cache_dir,
            prompts_cache_mib: running.prompts_cache_mib,
            tts: running.tts,
            journal_dir: running.journal_dir,
            recordings_dir: running.recordings_dir,
            recordings: running.recordings,
            ..self
        }
    }

    /// The settings that differ from `other` and take effect only when the module is loaded again.
    pub fn needs_load(&self, other: &Config) -> Vec<&'static str> {
        let mut names = Vec::new();
        for (name, same) in [
            ("cluster", self.cluster == other.cluster),
            ("node-id", self.node_id == other.node_id),
            ("nats-url", self.nats_url == other.nats_url),
            ("nats-user", self.nats_user == other.nats_user),
            ("nats-password", self.nats_password == other.nats_password),
            (
                "prompts-memory-mib",
                self.prompts_memory_mib == other.prompts_memory_mib,
            ),
            (
                "prompts-cache-dir",
                self.prompts_cache_dir == other.prompts_cache_dir,
            ),
            (
                "prompts-cache-mib",
                self.prompts_cache_mib == other.prompts_cache_mib,
            ),
            ("tts-engine", self.tts.engine == other.tts.engine),
            ("tts-engines", self.tts.engines == other.tts.engines),
            ("journal-dir", self.journal_dir == other.journal_dir),
            (
                "recordings-dir",
                self.recordings_dir == other.recordings_dir,
            ),
            (
                "recordings-min-free-mib, recordings-max-mib, recordings-keep-days",
                self.recordings == other.recordings,
            ),
        ] {
            if !same {
                names.push(name);
            }
        }
        names
    }
}

struct Reader {
    params: Vec<(String, String)>,
    engines: Vec<SpeechEngine>,
    errors: Vec<FieldError>,
}

impl Reader {
    fn take_params(&mut self, document: &roxmltree::Document<'_>) {
        let Some(settings) = document
            .descendants()
            .find(|node| node.has_tag_name("settings"))
        else {
            self.errors
                .push(FieldError::missing("settings", "a <settings> element"));
            return;
        };
        for param in settings.children().filter(roxmltree::Node::is_element) {
            let (Some(name), Some(value)) = (param.attribute("name"), param.attribute("value"))
            else {
                let expected = "<param name=\"…\" value=\"…\"/>";
                self.errors.push(FieldError::new(
                    "settings",
                    expected,
                    param.tag_name().name(),
                ));
                continue;
            };
            if !PARAMS.contains(&name) {
                self.errors.push(FieldError::new(
                    name,
                    format!("one of {}", PARAMS.join(", ")),
                    name,
                ));
            } else if self.params.iter().any(|(known, _)| known == name) {
                self.errors
                    .push(FieldError::new(name, "the setting once", "it twice"));
            } else {
                self.params.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn config(&mut self) -> Option<Config> {
        let cluster = self.checked("cluster", Some("ira"), ClusterName::parse);
        let node_id = self.checked("node-id", None, NodeId::parse);
        let nats_url = self.checked("nats-url", Some("nats://127.0.0.1:4222"), nats_url);
        let nats_user = self.text("nats-user").unwrap_or_default();
        let nats_password = Secret(self.text("nats-password").unwrap_or_default());
        let prompts_dir = self.checked("prompts-dir", None, absolute_dir);
        let prompts_memory = self.checked("prompts-memory-mib", Some("256"), |name, text| {
            in_range(name, text, 1, 65_536)
        });
        let prompts_cache_dir = self.optional("prompts-cache-dir", absolute_path);
        let prompts_cache = self.checked("prompts-cache-mib", Some("1024"), |name, text| {
            in_range(name, text, 1, 1_048_576)
        });
        let url_allow = self.checked("url-allow", Some(""), address_ranges);
        let tts_engine = self.checked("tts-engine", Some(tts::ESPEAK), tts::engine_name);
        let flows_dir = self.optional("flows-dir", absolute_dir);
        let default_trunk = self.optional("default-trunk", TrunkName::parse);
        let journal_dir = self.optional("journal-dir", absolute_path);
        let recordings_dir = self.optional("recordings-dir", absolute_path);
        let recordings = self.recordings_limits();
        let max_calls = self.checked("max-calls", Some("1000"), |name, text| {
            in_range(name, text, 1, 100_000)
        });
        let max_cps = self.checked("max-cps", Some("50"), |name, text| {
            in_range(name, text, 0.1, 10_000.0)
        });
        let unload_wait = self.checked("unload-wait-ms", Some("5000"), |name, text| {
            in_range(name, text, 100u64, 60_000)
        });
        Some(Config {
            cluster: cluster?,
            node_id: node_id?,
            nats_url: nats_url?,
            nats_user,
            nats_password,
            prompts_dir: prompts_dir?,
            prompts_memory_mib: prompts_memory?,
            prompts_cache_dir,
            prompts_cache_mib: prompts_cache?,
            url_allow: url_allow?,
            tts: TtsConfig {
                engine: tts_engine?,
                engines: std::mem::take(&mut self.engines),
            },
            flows_dir,
            default_trunk,
            journal_dir,
            recordings_dir,
            recordings: recordings?,
            max_calls: max_calls?,
            max_cps: max_cps?,
            unload_wait: Duration::from_millis(unload_wait?),
        })
    }

    fn recordings_limits(&mut self) -> Option<Limits> {
        let mib = |name: &str, text: &str| in_range(name, text, 0u64, 1 << 30).map(|mib| mib << 20);
        let least_free = self.checked("recordings-min-free-mib", Some("1024"), mib);
        let most_bytes = self.checked("recordings-max-mib", Some("0"), mib);
        let days = self.checked("recordings-keep-days", Some("0"), |name, text| {
            in_range(name, text, 0u64, 36_500)
        });
        let days = Duration::from_secs(days? * 86_400);
        Some(Limits {
            least_free: least_free?,
            most_bytes: most_bytes?,
            longest_kept: Some(days).filter(|days| !days.is_zero()),
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        self.params
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim().to_owned())
    }

    fn checked<T>(
        &mut self,
        name: &str,
        default: Option<&str>,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        let Some(text) = self.text(name).or(default.map(str::to_owned)) else {
            self.errors.push(FieldError::missing(name, "the setting"));
            return None;
        };
        parse(name, &text)
            .map_err(|error| self.errors.push(error))
            .ok()
    }

    fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, FieldError>,
    ) -> Option<T> {
        let text = self.text(name).filter(|text| !text.is_empty())?;
        parse(name, &text)
            .map_err(|error| self.errors.push(error))
            .ok()
    }
}

fn nats_url(name: &str, text: &str) -> Result<String, FieldError> {
    let refuse = || FieldError::new(name, "nats://host:port or tls://host:port", text);
    let rest = text
        .strip_prefix("nats://")
        .or_else(|| text.strip_prefix("tls://"))
        .ok_or_else(refuse)?;
    let (host, port) = rest.rsplit_once(':').ok_or_else(refuse)?;
    let host_ok = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    if host_ok && port.parse::<u16>().is_ok_and(|port| port > 0) {
        Ok(text.to_owned())
    } else {
        Err(refuse())
    }
}

fn absolute_dir(name: &str, text: &str) -> Result<PathBuf, FieldError> {
    let path = PathBuf::from(text);
    if path.is_absolute() && path.is_dir() {
        Ok(path)
    } else {
        Err(FieldError::new(
            name,
            "the absolute path of a directory that exists",
            text,
        ))
    }
}

fn absolute_path(name: &str, text: &str) -> Result<PathBuf, FieldError> {
    let path = PathBuf::from(text);
    if path.is_absolute() && (path.is_dir() || !path.exists()) {
        Ok(path)
    } else {
        Err(FieldError::new(
            name,
            "the absolute path of a directory, or of one to be made",
            text,
        ))
    }
}

fn address_ranges(name: &str, text: &str) -> Result<Vec<AddressRange>, FieldError> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    let range = |part| {
        let expected = "addresses and ranges such as 10.0.0.0/8 or ::1, with a comma between them";
        AddressRange::parse(part).ok_or_else(|| FieldError::new(name, expected, part))
    };
    parts.map(range).collect()
}

fn in_range<T: FromStr + PartialOrd + fmt::Display>(
    name: &str,
    text: &str,
    low: T,
    high: T,
) -> Result<T, FieldError> {
    match text.parse::<T>() {
        Ok(number) if number >= low && number <= high => Ok(number),
        _ => Err(FieldError::new(
            name,
            format!("a number from {low} to {high}"),
            text,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(params: &str) -> String {
        format!(
            "<configuration name=\"iradialer.conf\"><settings>{params}</settings></configuration>"
        )
    }

    fn param(name: &str, value: &str) -> String {
        format!("<param name=\"{name}\" value=\"{value}\"/>")
    }

    #[test]
    fn the_least_that_is_needed() {
        let text = xml(&(param("node-id", "switch-1") + &param("prompts-dir", "/tmp")));
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.cluster.as_str(), "ira");
        assert_eq!((config.max_calls, config.max_cps), (1000, 50.0));
    }

    #[test]
    fn every_mistake_is_named() {
        let mistakes = [
            ("cluster", "a.b"),
            ("node-id", "sw 1"),
            ("nats-url", "http://x"),
            ("prompts-dir", "relative"),
            ("prompts-memory-mib", "0"),
            ("prompts-cache-dir", "cache"),
            ("prompts-cache-mib", "0"),
            ("url-allow", "10.0.0.0/8, localhost"),
            ("tts-engine", "es peak"),
            ("flows-dir", "/nowhere/at/all"),
            ("default-trunk", "a/b"),
            ("journal-dir", "journal"),
            ("recordings-dir", "recordings"),
            ("recordings-min-free-mib", "a lot"),
            ("recordings-max-mib", "-1"),
            ("recordings-keep-days", "99999"),
            ("max-calls", "0"),
            ("max-cps", "NaN"),
            ("unload-wait-ms", "-1"),
            ("max-cals", "10"),
        ];
        let text = xml(&mistakes.map(|(name, value)| param(name, value)).concat());
        let ConfigErrors(errors) = Config::parse(&text).err().unwrap();
        for (name, _) in mistakes {
            assert!(
                errors.iter().any(|error| error.field == name),
                "{name} is not among {errors:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let ConfigErrors(errors) = Config::parse(&xml("")).err().unwrap();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["node-id", "prompts-dir"]);
        assert!(Config::parse("<configuration").is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "***");
    }
}
