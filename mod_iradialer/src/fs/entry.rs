//! Load and unload.

use super::guard::guard;
use super::switch::{Switch, log};
use super::{api, config_file, inbound, speech};
use crate::commands;
use crate::engine::Engine;
use crate::host::Level;
use crate::link::{self, Link};
use freeswitch_sys as sys;
use parking_lot::RwLock;
use std::ffi::CStr;
use std::sync::Arc;

const NAME: &CStr = c"mod_iradialer";

/// What the host looks for.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static mod_iradialer_module_interface: sys::switch_loadable_module_function_table =
    sys::switch_loadable_module_function_table {
        switch_api_version: sys::SWITCH_API_VERSION,
        load: Some(load),
        shutdown: Some(shutdown),
        runtime: None,
        flags: sys::SMODF_NONE,
    };

/// One life of the module, from load to unload.
struct Module {
    engine: Arc<Engine>,
    link: Arc<Link>,
}

/// Not a once-cell: the code stays mapped, so a second load finds what the first one left.
static MODULE: RwLock<Option<Module>> = RwLock::new(None);

/// The engine of the life that is loaded.
pub fn engine() -> Option<Arc<Engine>> {
    MODULE.read().as_ref().map(|module| module.engine.clone())
}

/// Runs a command line of `fs_cli`.
pub fn command(line: &str) -> String {
    // The lock is let go before the command runs: a command calls the host, which calls hooks, which
    // take the lock again.
    let module = MODULE
        .read()
        .as_ref()
        .map(|module| (module.engine.clone(), module.link.clone()));
    match module {
        Some((engine, link)) => commands::run(line, &engine, &link, config_file::read_anew),
        None => "-ERR mod_iradialer is not loaded\n".to_owned(),
    }
}

/// All or nothing: after a failure the host closes the library and does not call `shutdown`.
unsafe extern "C" fn load(
    interface: *mut *mut sys::switch_loadable_module_interface_t,
    pool: *mut sys::switch_memory_pool_t,
) -> sys::switch_status_t {
    guard("load", sys::SWITCH_STATUS_GENERR, || match start() {
        Ok(module) => {
            let identity = module.engine.identity.clone();
            *MODULE.write() = Some(module);
            // SAFETY: the host's pointers, valid for the load.
            if unsafe { add_interfaces(interface, pool) } {
                api::complete();
                log(
                    Level::Info,
                    &format!(
                        "loaded as {}, incarnation {}",
                        identity.node_id, identity.incarnation
                    ),
                );
                sys::SWITCH_STATUS_SUCCESS
            } else {
                stop();
                sys::SWITCH_STATUS_MEMERR
            }
        }
        Err(error) => {
            log(Level::Error, &format!("not loaded: {error}"));
            sys::SWITCH_STATUS_GENERR
        }
    })
}

fn start() -> Result<Module, String> {
    speech::leave(false);
    for point in iradialer_core::failpoint::armed()? {
        log(Level::Error, &format!("a failpoint is armed: {point}"));
    }
    let config = config_file::read().map_err(|errors| errors.to_string())?;
    let runtime = link::runtime().map_err(|error| format!("runtime: {error}"))?;
    let (engine, deliveries) = Engine::start(config, Arc::new(Switch), runtime.handle().clone())
        .map_err(|error| error.to_string())?;
    let link = Arc::new(Link::start(runtime, engine.clone(), deliveries));
    Ok(Module { engine, link })
}

/// # Safety
/// Both pointers are those of a load.
unsafe fn add_interfaces(
    interface: *mut *mut sys::switch_loadable_module_interface_t,
    pool: *mut sys::switch_memory_pool_t,
) -> bool {
    // SAFETY: H8: the host allocates and owns what is returned; the strings are static.
    unsafe {
        let module = sys::switch_loadable_module_create_module_interface(pool, NAME.as_ptr());
        if module.is_null() {
            return false;
        }
        *interface = module;
        let command =
            sys::switch_loadable_module_create_interface(module, sys::SWITCH_API_INTERFACE)
                .cast::<sys::switch_api_interface>();
        let Some(command) = command.as_mut() else {
            return false;
        };
        command.interface_name = api::NAME.as_ptr();
        command.desc = api::DESCRIPTION.as_ptr();
        command.function = Some(api::run);
        command.syntax = api::SYNTAX.as_ptr();
        let application =
            sys::switch_loadable_module_create_interface(module, sys::SWITCH_APPLICATION_INTERFACE)
                .cast::<sys::switch_application_interface>();
        let Some(application) = application.as_mut() else {
            return false;
        };
        application.interface_name = inbound::NAME.as_ptr();
        application.application_function = Some(inbound::run);
        application.short_desc = inbound::SHORT.as_ptr();
        application.long_desc = inbound::LONG.as_ptr();
        application.syntax = inbound::SYNTAX.as_ptr();
        // Who waits hears their own telephone ring, and a call that is refused takes no port for media.
        application.flags = sys::SAF_SUPPORT_NOMEDIA;
    }
    true
}

/// Hangs up what is live, with its last event, and goes.
unsafe extern "C" fn shutdown() -> sys::switch_status_t {
    guard("shutdown", (), stop);
    sys::SWITCH_STATUS_SUCCESS
}

fn stop() {
    let Some(engine) = engine() else { return };
    speech::leave(true);
    let left = engine.stop();
    if left > 0 {
        log(
            Level::Error,
            &format!("{left} channels did not end; their calls were reported as ended"),
        );
    }
    api::forget_complete();
    let Some(module) = MODULE.write().take() else {
        return;
    };
    let undelivered = module.link.stop();
    module.engine.outbox.journal().close();
    if undelivered > 0 {
        log(
            Level::Error,
            &format!(
                "unloaded with {undelivered} events that NATS did not take: the journal keeps them"
            ),
        );
    } else {
        log(Level::Info, "unloaded, every event delivered");
    }
}
