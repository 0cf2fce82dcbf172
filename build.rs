//! Compiles `proto/` with protox, so that a build needs no `protoc`. Comments survive into the documentation, and the
//! descriptor set feeds gRPC reflection.
//!
//! Messages and services are generated apart: `entry/` owns the messages and knows no transport, `rpc/` the services.
use std::{env, error::Error, fs, path::PathBuf};

const PROTOS: [&str; 7] = [
    "yichuan/v1/common.proto",
    "yichuan/v1/entry.proto",
    "yichuan/v1/payload.proto",
    "yichuan/v1/exchange.proto",
    "yichuan/v1/records.proto",
    "yichuan/v1/partners.proto",
    "yichuan/v1/audit.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(PROTOS)?;
    fs::write(
        out.join("descriptor.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    let messages = out.join("messages");
    fs::create_dir_all(&messages)?;
    let mut named = tonic_prost_build::Config::new();
    named.enable_type_names();
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .bytes(".yichuan.v1")
        .out_dir(messages)
        .compile_fds_with_config(compiler.file_descriptor_set(), named)?;

    let services = out.join("services");
    fs::create_dir_all(&services)?;
    tonic_prost_build::configure()
        .extern_path(".yichuan.v1", "crate::entry::pb")
        .codec_path("crate::rpc::codec::Counted")
        .out_dir(services)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
