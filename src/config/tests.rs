use super::{Config, ConfigError, NewNode, SAMPLE, render};
use std::path::Path;

const PATH: &str = "/etc/yichuan/node.toml";

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Path::new(PATH), text, environment)
}

#[test]
fn the_sample_says_what_holds_without_it() {
    let sample = parse(SAMPLE, &[]).unwrap();
    let mut short = parse("jurisdiction = '520624'\nname = '思南县公安局'", &[]).unwrap();
    short.access = sample.access.clone();
    short.check = sample.check.clone();
    assert_eq!(sample, short);
    assert_eq!(sample.data, Path::new("/etc/yichuan/data"));
    let (certificate, key) = sample.client.identity("officer-001");
    assert_eq!(certificate, Path::new("/etc/yichuan/certs/officer-001.pem"));
    assert_eq!(key, Path::new("/etc/yichuan/certs/officer-001.key"));
}

#[test]
fn a_rendered_configuration_is_that_of_the_node() {
    let node = NewNode {
        jurisdiction: "440000".parse().unwrap(),
        name: "a \"quoted\" = name\nlisten = 1",
        address: "0.0.0.0:8443".parse().unwrap(),
        endpoint: &"https://node.example:8443".parse().unwrap(),
        admin: "127.0.0.1:8480".parse().unwrap(),
        partners: &["520624".parse().unwrap()],
    };
    let config = parse(&render(&node), &[]).unwrap();
    assert_eq!(config.jurisdiction, node.jurisdiction);
    assert_eq!(config.name, node.name);
    assert_eq!(config.listen.address, node.address);
    assert_eq!(config.listen.endpoint, *node.endpoint);
    assert_eq!(config.listen.admin, node.admin);
    assert_eq!(config.client.node, *node.endpoint);
    assert_eq!(config.check.partners, node.partners);
    let auditor = "spiffe://440000.yichuan/auditor/001".parse().unwrap();
    assert_eq!(config.access.auditors, [auditor]);
}

fn error(text: &str, environment: &[(&str, &str)]) -> String {
    parse(text, environment).unwrap_err().to_string()
}

#[test]
fn an_error_says_where_it_is_and_what_was_expected() {
    let typo = SAMPLE.replace("drain_s", "drain");
    let line = 1 + typo.lines().position(|l| l.starts_with("drain")).unwrap();
    let said = error(&typo, &[]);
    assert!(
        said.starts_with(&format!("{PATH}, line {line}, column 1: ")),
        "{said}"
    );
    assert!(said.contains("unknown field `drain`"), "{said}");
    assert!(said.contains("`drain_s`"), "{said}");

    let code = "# 辖区\njurisdiction = \"52062\"\nname = 'x'";
    let said = error(code, &[]);
    assert!(
        said.contains("line 2, column 16: not a jurisdiction code"),
        "{said}"
    );
    let said = error("name = 'x'", &[]);
    assert!(said.contains("missing field `jurisdiction`"), "{said}");
    let said = error("jurisdiction = ", &[]);
    assert!(said.contains("line 1, column"), "{said}");
    assert!(
        error(
            &SAMPLE.replace("connections = 1024", "connections = 0"),
            &[]
        )
        .contains("nonzero")
    );
}

#[test]
fn the_environment_overrides_and_is_blamed_for_its_own_errors() {
    let config = parse(
        "name = 'x'",
        &[
            ("YICHUAN__JURISDICTION", "440000"),
            ("YICHUAN__LISTEN__ADDRESS", "127.0.0.1:9000"),
            ("YICHUAN__LIMITS__DRAIN_S", "5"),
            ("YICHUAN__CHECK__PARTNERS", "[\"520624\"]"),
            ("YICHUAN_LOG", "debug"),
        ],
    )
    .unwrap();
    assert_eq!(config.jurisdiction.as_str(), "440000");
    assert_eq!(config.listen.endpoint.as_str(), "https://127.0.0.1:9000");
    assert_eq!(config.limits.drain.as_secs(), 5);
    assert_eq!(config.check.partners.len(), 1);

    let said = error(SAMPLE, &[("YICHUAN__LISTEN__ADRESS", "127.0.0.1:9000")]);
    assert!(said.contains("YICHUAN__LISTEN__ADRESS"), "{said}");
    assert!(said.contains("`address`"), "{said}");
    let said = error(SAMPLE, &[("YICHUAN__LIMITS__DRAIN_S", "soon")]);
    assert!(said.contains("YICHUAN__LIMITS__DRAIN_S"), "{said}");
    let said = error(SAMPLE, &[("YICHUAN__LISTEN", "127.0.0.1:9000")]);
    assert!(said.contains("YICHUAN__LISTEN"), "{said}");
}

#[test]
fn keys_that_do_not_fit_together_are_refused() {
    let far = SAMPLE.replace("127.0.0.1:7480", "0.0.0.0:7480");
    assert!(error(&far, &[]).contains("listen.admin"));
    let hours = SAMPLE.replace("start_wait_s = 5", "start_wait_s = 7200");
    assert!(error(&hours, &[]).contains("exchange.start_wait_s"));
    let officer = SAMPLE.replace("auditor/001", "officer/001");
    assert!(error(&officer, &[]).contains("access.auditors"));
    for (units, said) in [
        ("{ narcotics = [] }", "has no officers"),
        ("{ narcotics = ['supervisor/001'] }", "not an officer"),
        ("{ Narcotics = ['officer/001'] }", "not a unit"),
    ] {
        let text = format!("jurisdiction = '520624'\nname = 'x'\naccess.units = {units}");
        assert!(error(&text, &[]).contains(said), "{units}");
    }
    let nowhere = "jurisdiction = '520624'\nname = 'x'\nlisten.address = '0.0.0.0:7443'";
    assert!(error(nowhere, &[]).contains("listen.endpoint"));
}

#[test]
fn the_file_asked_for_comes_before_the_one_that_the_environment_names() {
    let temp = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = temp.path().join(name);
        std::fs::write(&path, format!("jurisdiction = '520624'\nname = '{name}'")).unwrap();
        path
    };
    let (asked, named) = (write("asked"), write("named"));
    let variable = |value: &str| [("YICHUAN_CONFIG".to_owned(), value.to_owned())];
    let named = variable(named.to_str().unwrap());
    let name = |config: Result<Config, ConfigError>| config.unwrap().name;
    assert_eq!(name(Config::load(Some(&asked), named.clone())), "asked");
    assert_eq!(name(Config::load(None, named)), "named");
    let said = Config::load(None, variable("/nowhere/node.toml")).unwrap_err();
    assert!(said.to_string().contains("/nowhere/node.toml"), "{said}");
}
