//! Loading, unloading and calling the module, after `switch_loadable_module.c`.

use super::handles::Handles;
use super::pool::{self, Address, POOLS};
use super::{die, log, stream, text};
use freeswitch_sys::*;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use parking_lot::{Mutex, RwLock};
use std::error::Error;
use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::sync::Arc;

static INTERFACES: Handles<Interface> = Handles::of("module interface");
/// The module that is loaded, if one is.
static LOADED: Mutex<Option<Arc<Module>>> = Mutex::new(None);
/// Loading and unloading go one at a time.
static CHANGING: Mutex<()> = Mutex::new(());

/// What a module registered.
struct Interface {
    apis: Mutex<Vec<ApiPointer>>,
    applications: Mutex<Vec<ApplicationPointer>>,
    pool: Address,
}

/// An API command that the module fills in.
#[derive(Clone, Copy)]
struct ApiPointer(*mut switch_api_interface_t);

// SAFETY: the module fills it in during load, before anybody reads it.
unsafe impl Send for ApiPointer {}

/// An application of the dialplan that the module fills in.
#[derive(Clone, Copy)]
struct ApplicationPointer(*mut switch_application_interface_t);

// SAFETY: as for commands.
unsafe impl Send for ApplicationPointer {}

struct Module {
    name: String,
    shutdown: switch_module_shutdown_t,
    interface: Arc<Interface>,
    pool: Address,
    /// Held for reading by every command that runs, for writing by an unload.
    in_use: RwLock<()>,
    library: Mutex<Option<Library>>,
}

/// The module's name by its file: `libmod_x.so` and `mod_x.so` are both `mod_x`.
pub fn module_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_prefix("lib").unwrap_or(&stem).to_owned()
}

/// Opens the library and loads the module in it. The error is what the host would log.
pub fn load(path: &Path) -> Result<(), String> {
    let _one_at_a_time = CHANGING.lock();
    if LOADED.lock().is_some() {
        return Err("Module already loaded".to_owned());
    }
    let name = module_name(path);
    let pool = pool::create();
    let loaded = open_and_load(path, &name, pool);
    match loaded {
        Ok(module) => {
            log::write(
                SWITCH_LOG_CONSOLE,
                format_args!("Successfully Loaded [{name}]"),
            );
            *LOADED.lock() = Some(Arc::new(module));
            Ok(())
        }
        Err(reason) => {
            pool::destroy(pool, "a failed load");
            log::write(
                SWITCH_LOG_CRIT,
                format_args!("Error Loading module {}\n**{reason}**", path.display()),
            );
            Err(reason)
        }
    }
}

fn open_and_load(
    path: &Path,
    name: &str,
    pool: *mut switch_memory_pool_t,
) -> Result<Module, String> {
    // A bare file name would be searched for in the system's folders.
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    // SAFETY: the library is the module that the user asked to run in this process.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| in_full(&error))?;
    let symbol = format!("{name}_module_interface");
    // SAFETY: a module has its function table under this name.
    let table = unsafe { library.get::<*const switch_loadable_module_function_table_t>(&symbol) };
    let table = table.map_err(|error| in_full(&error))?.as_raw_ptr();
    // SAFETY: as above; the symbol is the table itself.
    let table = unsafe { &*table.cast::<switch_loadable_module_function_table_t>() };
    if u32::try_from(table.switch_api_version) != Ok(API_VERSION) {
        return Err("Trying to load an out of date module, please rebuild the module.".to_owned());
    }
    let load = table.load.ok_or(
        "Cannot locate symbol 'switch_module_load' please make sure this is a valid module.",
    )?;
    let mut interface = std::ptr::null_mut();
    // SAFETY: the module's load function, with a pool that lives until it is unloaded.
    let status = unsafe { load(&raw mut interface, pool) };
    if !matches!(status, SWITCH_STATUS_SUCCESS | SWITCH_STATUS_NOUNLOAD) {
        return Err("Module load routine returned an error".to_owned());
    }
    if interface.is_null() {
        return Err(
            "Module failed to initialize its module_interface. Is this a valid module?".to_owned(),
        );
    }
    Ok(Module {
        name: name.to_owned(),
        shutdown: table.shutdown,
        interface: INTERFACES.get(interface, "load"),
        pool: Address::of(pool),
        in_use: RwLock::new(()),
        library: Mutex::new(Some(library)),
    })
}

/// An error with what caused it: the linker's words are in the cause.
fn in_full(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

const API_VERSION: u32 = SWITCH_API_VERSION.unsigned_abs();

/// Shuts the module down and closes its library. With `force` commands that still run are not
/// waited for, as when the host itself goes down.
pub fn unload(force: bool) -> Result<(), String> {
    let _one_at_a_time = CHANGING.lock();
    let Some(module) = LOADED.lock().clone() else {
        return Err("No such module!".to_owned());
    };
    let writer = module.in_use.try_write();
    if writer.is_none() && !force {
        return Err("Module in use.".to_owned());
    }
    *LOADED.lock() = None;
    log::write(
        SWITCH_LOG_CONSOLE,
        format_args!("Stopping: {}", module.name),
    );
    let status = match module.shutdown {
        // SAFETY: the module's shutdown function, once, with no command running.
        Some(shutdown) => unsafe { shutdown() },
        None => SWITCH_STATUS_SUCCESS,
    };
    drop(writer);
    if status == SWITCH_STATUS_NOUNLOAD {
        // It stays in memory, out of reach, as on the real switch.
        return Ok(());
    }
    close(&module);
    Ok(())
}

fn close(module: &Module) {
    let closed = module.library.lock().take().map_or(Ok(()), Library::close);
    if let Err(error) = closed {
        log::write(SWITCH_LOG_ERROR, format_args!("{}: {error}", module.name));
    }
    pool::destroy(module.pool.pointer(), "unload");
    log::write(
        SWITCH_LOG_CONSOLE,
        format_args!("{} unloaded.", module.name),
    );
}

/// Whether a module is loaded.
pub fn is_loaded() -> bool {
    LOADED.lock().is_some()
}

/// Runs the API command `name`; `None` when the module has no such. An empty `arguments` is
/// null to the command, as the host has it.
pub fn api(name: &str, arguments: &str) -> Option<String> {
    let module = LOADED.lock().clone()?;
    let _in_use = module.in_use.read();
    let apis = module.interface.apis.lock().clone();
    let function = apis.into_iter().find_map(|api| {
        // SAFETY: filled in by load, and kept until the module is unloaded, which waits for
        // this command.
        let api = unsafe { &*api.0 };
        // SAFETY: the module's own static string.
        let known = unsafe { text::copied(api.interface_name) };
        (known.as_deref() == Some(name))
            .then_some(api.function)
            .flatten()
    })?;
    let command: Option<CString> = (!arguments.is_empty()).then(|| text::for_c(arguments));
    let pointer = command
        .as_ref()
        .map_or(std::ptr::null(), |command| command.as_ptr());
    let mut status = SWITCH_STATUS_SUCCESS;
    let mut reply = stream::collect(|stream| {
        // SAFETY: the module's command function, with a C string and a stream that live until
        // it returns.
        status = unsafe { function(pointer, std::ptr::null_mut(), stream) };
    });
    if status != SWITCH_STATUS_SUCCESS {
        reply.push_str("COMMAND RETURNED ERROR!\n");
    }
    Some(reply)
}

/// Runs the application `name` on a session, on its own thread. False when the module has no such.
pub fn application(name: &str, session: *mut switch_core_session_t, data: &str) -> bool {
    let Some(module) = LOADED.lock().clone() else {
        return false;
    };
    let _in_use = module.in_use.read();
    let applications = module.interface.applications.lock().clone();
    let function = applications.into_iter().find_map(|application| {
        // SAFETY: filled in by load, and kept until the module is unloaded, which waits for this application.
        let application = unsafe { &*application.0 };
        // SAFETY: the module's own static string.
        let known = unsafe { text::copied(application.interface_name) };
        (known.as_deref() == Some(name))
            .then_some(application.application_function)
            .flatten()
    });
    let Some(function) = function else {
        return false;
    };
    let data = text::for_c(data);
    // SAFETY: the module's function, with the session whose thread this is and a C string that lives until it
    // returns.
    unsafe { function(session, data.as_ptr()) };
    true
}

/// See [`freeswitch_sys::switch_loadable_module_create_module_interface`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_loadable_module_create_module_interface(
    pool: *mut switch_memory_pool_t,
    _name: *const c_char,
) -> *mut switch_loadable_module_interface_t {
    let owner = POOLS.get(pool, "switch_loadable_module_create_module_interface");
    let interface = Interface {
        apis: Mutex::default(),
        applications: Mutex::default(),
        pool: Address::of(pool),
    };
    let handle = INTERFACES.insert(Arc::new(interface));
    let address = Address::of(handle);
    owner.at_end(move || {
        let handle = address.pointer::<switch_loadable_module_interface_t>();
        INTERFACES.remove(handle, "the pool's end");
    });
    handle
}

/// See [`freeswitch_sys::switch_loadable_module_create_interface`]. Only API commands and applications are
/// of use in the sandbox; a module that registers anything else would not be served.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_loadable_module_create_interface(
    mod_: *mut switch_loadable_module_interface_t,
    iname: switch_module_interface_name_t,
) -> *mut c_void {
    const FUNCTION: &str = "switch_loadable_module_create_interface";
    let interface = INTERFACES.get(mod_, FUNCTION);
    if iname == SWITCH_APPLICATION_INTERFACE {
        return new_application(&interface, mod_).cast();
    }
    if iname != SWITCH_API_INTERFACE {
        die(format_args!(
            "{FUNCTION}: the sandbox has no interfaces of kind {iname}"
        ));
    }
    let api = Box::into_raw(Box::new(switch_api_interface_t {
        interface_name: std::ptr::null(),
        desc: std::ptr::null(),
        function: None,
        syntax: std::ptr::null(),
        rwlock: std::ptr::null_mut(),
        refs: 0,
        reflock: std::ptr::null_mut(),
        parent: mod_,
        next: std::ptr::null_mut(),
    }));
    interface.apis.lock().push(ApiPointer(api));
    let address = Address::of(api);
    POOLS
        .get(interface.pool.pointer::<switch_memory_pool_t>(), FUNCTION)
        .at_end(move || {
            // SAFETY: made by `Box::into_raw` above, freed only here.
            drop(unsafe { Box::from_raw(address.pointer::<switch_api_interface_t>()) });
        });
    api.cast()
}

fn new_application(
    interface: &Interface,
    module: *mut switch_loadable_module_interface_t,
) -> *mut switch_application_interface_t {
    let application = Box::into_raw(Box::new(switch_application_interface_t {
        interface_name: std::ptr::null(),
        application_function: None,
        long_desc: std::ptr::null(),
        short_desc: std::ptr::null(),
        syntax: std::ptr::null(),
        flags: 0,
        rwlock: std::ptr::null_mut(),
        refs: 0,
        reflock: std::ptr::null_mut(),
        parent: module,
        next: std::ptr::null_mut(),
    }));
    let mut applications = interface.applications.lock();
    applications.push(ApplicationPointer(application));
    let address = Address::of(application);
    let pool = POOLS.get(
        interface.pool.pointer::<switch_memory_pool_t>(),
        "switch_loadable_module_create_interface",
    );
    pool.at_end(move || {
        let application = address.pointer::<switch_application_interface>();
        // SAFETY: made by `Box::into_raw` above, freed only here.
        drop(unsafe { Box::from_raw(application) });
    });
    application
}
