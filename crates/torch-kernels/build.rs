//! Checks LibTorch's version and compiles `cpp/` against its headers.

use std::path::{Path, PathBuf};

const SOURCES: [&str; 10] = [
    "attention",
    "attention_heads",
    "attention_rows",
    "blocks",
    "brgemm",
    "error",
    "memory",
    "pack",
    "store",
    "threads",
];

/// Compiled as one: most of the compiler's time goes into `ATen`'s headers, which all of them include.
const WITH_ATEN: [&str; 9] =
    ["count", "dropout", "layer_norm", "linear", "optimizer", "quantized", "stand_in", "upload", "varlen"];

const SUPPORTED: [&str; 3] = ["2.9", "2.10", "2.11"];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let libtorch = PathBuf::from(std::env::var("LIBTORCH").unwrap_or_else(|_| "/usr".to_owned()));
    let lib = libtorch.join("lib");
    check_version(&libtorch);

    let mut build = cc::Build::new();
    build.cpp(true);
    check_compiler(&build);
    build
        .std("c++17")
        .warnings(false)
        .opt_level(3)
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        .flag_if_supported("-fno-math-errno")
        .flag("-ffp-contract=off")
        // Nobody reads the floating-point exceptions, and loops that choose between numbers are vectorised only then.
        .flag_if_supported("-fno-trapping-math")
        .flag("-D_GLIBCXX_USE_CXX11_ABI=1")
        .flag_if_supported("-fopenmp")
        .include("cpp")
        .file(joined(&WITH_ATEN))
        .files(SOURCES.map(|name| format!("cpp/{name}.cpp")))
        .compile("distilburn_kernels");

    println!("cargo:rustc-link-search=native={}", lib.display());
    for library in ["torch_cpu", "c10"] {
        println!("cargo:rustc-link-lib={library}");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}

fn joined(names: &[&str]) -> PathBuf {
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("with_aten.cpp");
    let includes: Vec<String> = names.iter().map(|name| format!("#include \"{name}.cpp\"\n")).collect();
    std::fs::write(&out, includes.concat())
        .unwrap_or_else(|error| panic!("write {}: {error}", out.display()));
    out
}

/// Clang on Linux would link LLVM's OpenMP beside GCC's, which LibTorch runs on: two pools of threads for the same cores.
fn check_compiler(build: &cc::Build) {
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux && build.get_compiler().is_like_clang() {
        println!(
            "cargo::error=the C++ compiler is Clang, whose OpenMP library is not the one that LibTorch uses: unset CXX, or set it \
             to g++"
        );
        std::process::exit(1);
    }
}

fn check_version(libtorch: &Path) {
    // LibTorch 2.10 moved the numbers into the second.
    let headers = ["include/torch/csrc/api/include/torch/version.h", "include/torch/headeronly/version.h"];
    let text: String =
        headers.iter().filter_map(|header| std::fs::read_to_string(libtorch.join(header)).ok()).collect();
    if text.is_empty() {
        println!(
            "cargo::error=no LibTorch headers at {}: run scripts/setup, or set LIBTORCH to a LibTorch {} to {}",
            libtorch.display(),
            SUPPORTED[0],
            SUPPORTED[2]
        );
        std::process::exit(1);
    }
    let number = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.trim().parse::<u32>().ok())
            .unwrap_or_default()
    };
    let found = format!("{}.{}", number("TORCH_VERSION_MAJOR"), number("TORCH_VERSION_MINOR"));
    if !SUPPORTED.contains(&found.as_str()) {
        println!(
            "cargo::error=LibTorch {found} at {}: distilburn builds against {}; unset LIBTORCH and run scripts/setup",
            libtorch.display(),
            SUPPORTED.join(", ")
        );
        std::process::exit(1);
    }
    println!("cargo:rustc-env=DISTILBURN_LIBTORCH_VERSION={found}");
}
