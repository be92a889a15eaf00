//! XML configurations, opaque to the module: it asks for the text and reads that itself.

use super::handles::Handles;
use super::{log, text};
use crate::conf;
use crate::host::host;
use freeswitch_sys::*;
use std::ffi::c_char;
use std::sync::Arc;

/// All open documents, by their root.
pub static ROOTS: Handles<Document> = Handles::of("XML document");
/// The configuration element of each, by the handle that the module gets for it.
static NODES: Handles<String> = Handles::of("XML element");

/// An open document: the element that was asked for lives as long as it.
pub struct Document {
    element: Arc<String>,
}

/// See [`freeswitch_sys::switch_xml_reload`]. Here each opening reads its file anew.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_xml_reload(err: *mut *const c_char) -> switch_status_t {
    // SAFETY: the module passes a place for the pointer.
    unsafe { *err = c"Success".as_ptr() };
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_xml_open_cfg`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_xml_open_cfg(
    file_path: *const c_char,
    node: *mut switch_xml_t,
    _params: *mut switch_event_t,
) -> switch_xml_t {
    // SAFETY: the module passes a place for the pointer and a C string.
    let name = unsafe {
        *node = std::ptr::null_mut();
        text::copied(file_path).unwrap_or_default()
    };
    match conf::configuration(&host().conf, &name, &host().globals) {
        Ok(text) => {
            let element = Arc::new(text);
            // SAFETY: as above.
            unsafe { *node = NODES.insert(element.clone()) };
            ROOTS.insert(Arc::new(Document { element }))
        }
        Err(unreadable) => {
            log::write(
                SWITCH_LOG_ERROR,
                format_args!("open of {name} failed: {unreadable}"),
            );
            std::ptr::null_mut()
        }
    }
}

/// See [`freeswitch_sys::switch_xml_toxml_ex`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_xml_toxml_ex(
    xml: switch_xml_t,
    prn_header: switch_bool_t,
    _use_utf8_encoding: switch_bool_t,
) -> *mut c_char {
    let element = NODES.get(xml, "switch_xml_toxml");
    match prn_header {
        SWITCH_FALSE => text::malloced(&element),
        _ => text::malloced(&format!("<?xml version=\"1.0\"?>\n{element}")),
    }
}

/// See [`freeswitch_sys::switch_xml_free`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_xml_free(xml: switch_xml_t) {
    if xml.is_null() {
        return;
    }
    let document = ROOTS.remove(xml, "switch_xml_free");
    let element = Arc::as_ptr(&document.element)
        .cast::<switch_xml>()
        .cast_mut();
    NODES.remove(element, "switch_xml_free");
}
