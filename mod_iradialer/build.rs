//! Links the module so that the host may close it at any time.

fn main() {
    // The runtime's threads leave thread-local destructors behind: the code must stay mapped after
    // the host's dlclose.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
