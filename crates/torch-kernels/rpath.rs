//! The build script of every binary that links LibTorch: where the loader finds it.
//!
//! A library's link arguments do not reach the binaries that use it.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
}
