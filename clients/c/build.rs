//! Sets the soname of the shared library.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libclockbound.so.1");
    println!("cargo::rerun-if-changed=build.rs");
}
