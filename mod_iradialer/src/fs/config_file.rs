//! `iradialer.conf.xml` through the host, which finds the file and expands its variables.

use super::text::{c_string, from_c, take_c};
use crate::config::{Config, ConfigErrors};
use freeswitch_sys as sys;
use iradialer_core::value::FieldError;
use std::path::PathBuf;

const NAME: &str = "iradialer.conf";

/// An open configuration, closed when dropped.
struct Open {
    root: sys::switch_xml_t,
    element: sys::switch_xml_t,
}

impl Open {
    fn new() -> Option<Open> {
        let name = c_string(NAME);
        let mut element = std::ptr::null_mut();
        // SAFETY: H1; `element` is set to a part of the root, which is ours until it is freed.
        let root = unsafe {
            sys::switch_xml_open_cfg(name.as_ptr(), &raw mut element, std::ptr::null_mut())
        };
        (!root.is_null() && !element.is_null()).then_some(Open { root, element })
    }

    fn text(&self) -> Option<String> {
        // SAFETY: the element lives as long as the root; the text is ours to free.
        unsafe { take_c(sys::switch_xml_toxml(self.element, sys::SWITCH_FALSE)) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the root is ours and is freed once.
        unsafe { sys::switch_xml_free(self.root) };
    }
}

/// Reads and checks the configuration as it is on the disk now. The host answers from memory, so it is
/// made to read all of its XML first, as `reloadxml` does.
pub fn read_anew() -> Result<Config, ConfigErrors> {
    let mut error = std::ptr::null();
    // SAFETY: H1; the text is static.
    let (status, error) = unsafe { (sys::switch_xml_reload(&raw mut error), from_c(error)) };
    if status == sys::SWITCH_STATUS_SUCCESS {
        read()
    } else {
        Err(ConfigErrors(vec![FieldError::new(
            "configuration",
            "XML that the switch can read",
            &error.unwrap_or_default(),
        )]))
    }
}

/// Reads and checks the configuration as the host knows it.
pub fn read() -> Result<Config, ConfigErrors> {
    let text = Open::new().and_then(|open| open.text()).ok_or_else(|| {
        let expected =
            "autoload_configs/iradialer.conf.xml with a <configuration name=\"iradialer.conf\">";
        ConfigErrors(vec![FieldError::missing("configuration", expected)])
    })?;
    let mut config = Config::parse(&text)?;
    if config.journal_dir.is_none() {
        let databases = super::switch::core_variable("db_dir")
            .filter(|dir| dir.starts_with('/'))
            .ok_or_else(|| {
                let expected = "the setting, for this host names no directory of its databases";
                ConfigErrors(vec![FieldError::missing("journal-dir", expected)])
            })?;
        config.journal_dir = Some(PathBuf::from(databases).join("iradialer-journal"));
    }
    if config.prompts_cache_dir.is_none() {
        let caches = super::switch::core_variable("cache_dir").filter(|dir| dir.starts_with('/'));
        let dir = caches.map(|dir| PathBuf::from(dir).join("iradialer-prompts"));
        // Nobody has asked for it: where it can't be made, prompts are kept in memory alone.
        config.prompts_cache_dir = dir.filter(|dir| std::fs::create_dir_all(dir).is_ok());
    }
    Ok(config)
}
