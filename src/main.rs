//! The `yichuan` command.

fn main() {
    yichuan::telemetry::init_logs(yichuan::telemetry::LogFormat::Text, "info").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = yichuan::cli::demo::DemoOptions {
        keep: None,
        serve: false,
        lang: yichuan::domain::Lang::Zh,
    };
    runtime
        .block_on(async { yichuan::cli::demo::run(&options, &mut std::io::stdout()).await })
        .unwrap();
}
