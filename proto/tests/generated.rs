//! Holds the committed code against the `.proto` files it is made from.
//!
//! `REGENERATE=1 cargo test -p sidearm-proto` writes it anew.

use std::{fs, path::Path};

const FILES: [&str; 2] = ["kubearmor.proto", "gap.proto"];

#[test]
fn the_generated_code_is_that_of_the_proto_files() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proto");
    fs::create_dir_all(&out).expect("the target folder takes files");
    let descriptors = out.join("descriptors.bin");
    let compiled = protox::compile(FILES, [here]).expect("the proto files are sound");
    fs::write(&descriptors, protox::prost::Message::encode_to_vec(&compiled))
        .expect("the target folder takes files");

    let code = out.join("code");
    let _ = fs::remove_dir_all(&code);
    fs::create_dir_all(&code).expect("the target folder takes files");
    buffa_build::Config::new()
        .files(&FILES)
        .descriptor_set(&descriptors)
        .preserve_unknown_fields(false)
        .file_per_package(true)
        .out_dir(&code)
        .compile()
        .expect("buffa writes code for them");

    let committed = here.join("generated");
    if std::env::var_os("REGENERATE").is_some() {
        fs::create_dir_all(&committed).expect("the checkout can be written");
        for file in files_in(&code) {
            fs::copy(code.join(&file), committed.join(&file)).expect("the checkout can be written");
        }
    }
    assert_eq!(files_in(&code), files_in(&committed), "run with REGENERATE=1");
    for file in files_in(&code) {
        let fresh = fs::read_to_string(code.join(&file)).expect("just written");
        let stands = fs::read_to_string(committed.join(&file)).expect("committed");
        assert!(fresh == stands, "{file} is stale: run with REGENERATE=1");
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}
