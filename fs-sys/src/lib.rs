//! The raw C ABI of the FreeSWITCH functions and structures that mod_iradialer uses.
