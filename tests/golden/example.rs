//! `config.example.toml` is what the code says of itself.

use std::path::Path;

#[test]
fn the_file_is_the_codes_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    let generated = sidearm::config::example();
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&path, &generated).expect("the example is written");
    }
    let file = std::fs::read_to_string(&path).expect("the example is there");
    assert_eq!(file, generated, "REGENERATE=1 cargo test --test golden example writes it anew");
}
