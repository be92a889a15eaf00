//! Builds the variadic C functions and exports the host's symbols to the module.

fn main() {
    println!("cargo:rerun-if-changed=c/variadic.c");
    cc::Build::new()
        .file("c/variadic.c")
        .warnings_into_errors(true)
        .compile("variadic");
    // A library that is opened at run time sees an executable's symbols only when the
    // executable was linked with this.
    println!("cargo:rustc-link-arg-bins=-rdynamic");
}
