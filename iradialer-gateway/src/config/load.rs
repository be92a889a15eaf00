//! From file, environment and flags to the document that is checked.

use super::check::check;
use super::file::Document;
use super::{Config, ConfigError, Role};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The configuration file with every default, commented.
pub const DEFAULT_FILE: &str = include_str!("default.toml");
/// What the environment variables begin with.
const ENV_PREFIX: &str = "IRADIALER_";

/// What else begins so: the file's name, and the token of commands that ask the API.
const NOT_KEYS: [&str; 2] = ["IRADIALER_CONFIG", "IRADIALER_TOKEN"];

/// Where the configuration comes from, besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file.
    pub file: Option<PathBuf>,
    /// The environment; only the variables that begin with `IRADIALER_` count.
    pub environment: BTreeMap<String, String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--roles`; all where there are none.
    pub roles: Vec<Role>,
    /// `--region`.
    pub region: Option<String>,
    /// `--dev`.
    pub dev: bool,
    /// Whether the bus will be used, so that there must be one.
    pub uses_bus: bool,
}

impl Sources {
    /// The environment of this process, and nothing else yet.
    pub fn of_process() -> Self {
        Sources {
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .filter(|(name, _)| name.starts_with(ENV_PREFIX))
                .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
                .collect(),
            ..Sources::default()
        }
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// With every mistake there is, each with its key.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let from = sources.file.as_deref().map_or_else(
            || "no file, defaults only".to_owned(),
            |path| path.display().to_string(),
        );
        load(sources).map_err(|mistakes| ConfigError {
            source: from,
            mistakes,
        })
    }
}

fn load(sources: &Sources) -> Result<Config, Vec<String>> {
    let mut table = parse(DEFAULT_FILE)?;
    if let Some(path) = &sources.file {
        merge(&mut table, parse(&read(path)?)?);
    }
    let mut mistakes = override_from(&mut table, &sources.environment);
    if let Some(data_dir) = &sources.data_dir {
        match data_dir.to_str() {
            Some(text) => table.insert("data_dir".to_owned(), Value::from(text)),
            None => return Err(vec!["--data-dir: expected a path in UTF-8".to_owned()]),
        };
    }
    if let Some(region) = &sources.region
        && let Some(Value::Table(router)) = table.get_mut("router")
    {
        router.insert("region".to_owned(), Value::from(region.as_str()));
    }
    let document: Document = match serde_path_to_error::deserialize(Value::Table(table)) {
        Ok(document) => document,
        Err(error) => {
            let what = error.inner().to_string();
            mistakes.push(format!("{}: {}", error.path(), what.trim()));
            return Err(mistakes);
        }
    };
    match check(document, sources) {
        Ok(config) if mistakes.is_empty() => Ok(config),
        Ok(_) => Err(mistakes),
        Err(more) => {
            mistakes.extend(more);
            Err(mistakes)
        }
    }
}

fn read(path: &Path) -> Result<String, Vec<String>> {
    std::fs::read_to_string(path).map_err(|error| vec![format!("can't be read: {error}")])
}

fn parse(text: &str) -> Result<Table, Vec<String>> {
    text.parse::<Table>()
        .map_err(|error| vec![error.to_string().trim().to_owned()])
}

/// Puts `over` on top of `base`, table by table.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Sets each key that a variable names; the type is that of the key's default. Returns the mistakes.
fn override_from(table: &mut Table, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut known = BTreeMap::new();
    for (section, value) in table.iter() {
        match value {
            Value::Table(keys) => known.extend(keys.keys().map(|key| {
                let path = (section.clone(), Some(key.clone()));
                (variable(&[section, key]), path)
            })),
            Value::Array(_) => {}
            _ => {
                known.insert(variable(&[section]), (section.clone(), None));
            }
        }
    }
    for (name, text) in environment {
        if NOT_KEYS.contains(&name.as_str()) {
            continue;
        }
        let Some((section, key)) = known.get(name) else {
            // Not a mistake: an orchestrator may set such names for its own ends (IRADIALER_SERVICE_HOST).
            tracing::warn!("the environment variable {name} names no key of the configuration");
            continue;
        };
        let slot = match key {
            Some(key) => table.get_mut(section).and_then(|keys| keys.get_mut(key)),
            None => table.get_mut(section),
        };
        let Some(slot) = slot else { continue };
        match typed_like(slot, text) {
            Some(value) => *slot = value,
            None => mistakes.push(format!(
                "{name}: expected {}, got {text:?}",
                slot.type_str()
            )),
        }
    }
    mistakes
}

fn variable(path: &[&str]) -> String {
    format!("{ENV_PREFIX}{}", path.join("_").to_uppercase())
}

/// The text as a value of the same type as `like`.
fn typed_like(like: &Value, text: &str) -> Option<Value> {
    match like {
        Value::String(_) => Some(Value::from(text)),
        Value::Integer(_) => text.parse::<i64>().ok().map(Value::from),
        Value::Float(_) => text.parse::<f64>().ok().map(Value::from),
        Value::Boolean(_) => text.parse::<bool>().ok().map(Value::from),
        _ => {
            let table: Table = format!("value = {text}").parse().ok()?;
            table
                .get("value")
                .filter(|value| value.same_type(like))
                .cloned()
        }
    }
}
