//! The C side of the host: every function that the module imports, and the only unsafe code
//! of the sandbox.
//!
//! Pointers that the module gets are looked up in tables of what is alive and never followed.
//! So a handle that is used after its end, freed twice or of the wrong kind stops the process
//! with the name of the function, where a real switch would go on with freed memory.

pub mod loader;
pub mod log;
pub mod session;

mod audio;
mod bridge;
mod bug;
mod channel;
mod console;
mod event;
mod handles;
mod heard;
mod media;
mod message;
mod pool;
mod speech;
mod stream;
mod text;
mod variables;
mod xml;

/// Says what the module did that a host cannot live with, and dies.
pub(crate) fn die(what: std::fmt::Arguments<'_>) -> ! {
    log::flush();
    eprintln!("switch-sandbox: FATAL: {what}");
    std::process::abort()
}

/// How many handles of each kind are alive: what a module that leaks would show in.
pub fn alive() -> Vec<(&'static str, usize)> {
    vec![
        ("sessions", session::SESSIONS.len()),
        ("memory pools", pool::POOLS.len()),
        ("events", event::EVENTS.len()),
        ("caller profiles", pool::PROFILES.len()),
        ("media bugs", bug::BUGS.len()),
        ("speech handles", speech::SPOKEN.len()),
        ("XML documents", xml::ROOTS.len()),
    ]
}

mod exports {
    use super::{
        audio, bridge, bug, channel, console, event, loader, media, message, pool, session, speech,
        variables, xml,
    };

    unsafe extern "C" {
        // Defined in C: see c/variadic.c.
        fn switch_log_printf(
            channel: u32,
            file: *const std::ffi::c_char,
            func: *const std::ffi::c_char,
            line: i32,
            userdata: *const std::ffi::c_char,
            level: i32,
            fmt: *const std::ffi::c_char,
            ...
        );
    }

    macro_rules! exports {
        ($($path:path => $name:ident,)*) => {
            #[test]
            fn exactly_the_imported_symbols_are_exported() {
                let names = [$(stringify!($name)),*];
                assert_eq!(names, freeswitch_sys::SYMBOLS);
            }

            /// Holds each definition next to the declaration that the module was built
            /// against: the two have to be of one type, or this does not compile.
            const _: () = {
                $({
                    let _ = [freeswitch_sys::$name, $path];
                })*
            };
        };
    }

    exports! {
        loader::switch_loadable_module_create_module_interface => switch_loadable_module_create_module_interface,
        loader::switch_loadable_module_create_interface => switch_loadable_module_create_interface,
        switch_log_printf => switch_log_printf,
        console::switch_console_set_complete => switch_console_set_complete,
        xml::switch_xml_reload => switch_xml_reload,
        xml::switch_xml_open_cfg => switch_xml_open_cfg,
        xml::switch_xml_toxml_ex => switch_xml_toxml_ex,
        xml::switch_xml_free => switch_xml_free,
        console::switch_core_get_variable_dup => switch_core_get_variable_dup,
        console::switch_version_full => switch_version_full,
        console::switch_time_now => switch_time_now,
        session::switch_core_session_count => switch_core_session_count,
        pool::switch_core_perform_new_memory_pool => switch_core_perform_new_memory_pool,
        pool::switch_core_perform_destroy_memory_pool => switch_core_perform_destroy_memory_pool,
        event::switch_event_create_subclass_detailed => switch_event_create_subclass_detailed,
        event::switch_event_add_header_string => switch_event_add_header_string,
        event::switch_event_destroy => switch_event_destroy,
        pool::switch_caller_profile_new => switch_caller_profile_new,
        session::switch_core_session_outgoing_channel => switch_core_session_outgoing_channel,
        session::switch_core_session_get_channel => switch_core_session_get_channel,
        session::switch_core_session_get_uuid => switch_core_session_get_uuid,
        session::switch_core_session_thread_launch => switch_core_session_thread_launch,
        session::switch_core_session_perform_locate => switch_core_session_perform_locate,
        session::switch_core_session_rwunlock => switch_core_session_rwunlock,
        session::switch_core_session_perform_destroy => switch_core_session_perform_destroy,
        media::switch_core_session_read_frame => switch_core_session_read_frame,
        media::switch_core_session_write_frame => switch_core_session_write_frame,
        media::switch_core_session_get_write_codec => switch_core_session_get_write_codec,
        message::switch_core_session_perform_receive_message => switch_core_session_perform_receive_message,
        channel::switch_channel_add_state_handler => switch_channel_add_state_handler,
        variables::switch_channel_set_variable_var_check => switch_channel_set_variable_var_check,
        variables::switch_channel_get_variable_dup => switch_channel_get_variable_dup,
        channel::switch_channel_perform_hangup => switch_channel_perform_hangup,
        session::inbound::switch_channel_perform_answer => switch_channel_perform_answer,
        channel::switch_channel_perform_set_state => switch_channel_perform_set_state,
        channel::switch_channel_get_state => switch_channel_get_state,
        channel::switch_channel_test_ready => switch_channel_test_ready,
        channel::switch_channel_get_cause => switch_channel_get_cause,
        channel::switch_channel_cause2str => switch_channel_cause2str,
        channel::switch_channel_has_dtmf => switch_channel_has_dtmf,
        channel::switch_channel_dequeue_dtmf => switch_channel_dequeue_dtmf,
        channel::switch_core_event_hook_add_receive_message => switch_core_event_hook_add_receive_message,
        channel::switch_core_event_hook_add_recv_dtmf => switch_core_event_hook_add_recv_dtmf,
        media::switch_ivr_play_file => switch_ivr_play_file,
        bug::switch_core_media_bug_add => switch_core_media_bug_add,
        bug::switch_core_media_bug_get_session => switch_core_media_bug_get_session,
        bug::switch_core_media_bug_get_native_read_frame => switch_core_media_bug_get_native_read_frame,
        bug::switch_core_media_bug_get_native_write_frame => switch_core_media_bug_get_native_write_frame,
        bug::switch_ivr_inband_dtmf_session => switch_ivr_inband_dtmf_session,
        speech::switch_core_speech_open => switch_core_speech_open,
        speech::switch_core_speech_feed_tts => switch_core_speech_feed_tts,
        speech::switch_core_speech_read_tts => switch_core_speech_read_tts,
        speech::switch_core_speech_close => switch_core_speech_close,
        bridge::switch_ivr_multi_threaded_bridge => switch_ivr_multi_threaded_bridge,
        audio::switch_core_session_send_dtmf_string => switch_core_session_send_dtmf_string,
        audio::switch_ivr_session_audio => switch_ivr_session_audio,
        media::switch_ivr_parse_all_events => switch_ivr_parse_all_events,
    }
}
