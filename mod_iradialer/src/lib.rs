//! The outbound voice engine as a FreeSWITCH module.
