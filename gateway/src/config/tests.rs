//! Precedence, origins, refusals, and secrets that stay secret.

use super::*;
use crate::mask::Kind;

const NOTHING: fn(&str) -> Option<String> = |_| None;

fn typed(arguments: &[&str]) -> Flags {
    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        flags: Flags,
    }
    <Typed as clap::Parser>::try_parse_from([&["frontdesk"], arguments].concat()).unwrap().flags
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frontdesk.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

fn refusal(arguments: &[&str], command: Command) -> String {
    let error = resolve(&typed(arguments), command, NOTHING)
        .and_then(|resolved| validate::validate(&resolved, command))
        .unwrap_err();
    error.to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let (_folder, path) = file("port = 1\nqueue = 7\nmax_concurrent = 8\n");
    let flags = typed(&["--config", &path, "--port", "3"]);
    let variable = |name: &str| match name {
        "FRONTDESK_PORT" | "FRONTDESK_QUEUE" => Some("2".to_owned()),
        _ => None,
    };
    let resolved = resolve(&flags, Command::Serve, variable).unwrap();
    let settings = &resolved.settings;
    assert_eq!((settings.port, settings.queue, settings.max_concurrent), (3, 2, 8));
    assert_eq!(resolved.origin("port"), Origin::Flag("--port".into()));
    assert_eq!(resolved.origin("queue"), Origin::Variable("FRONTDESK_QUEUE".into()));
    assert_eq!(resolved.origin("max_concurrent"), Origin::File(path.into()));
    assert_eq!(resolved.origin("host"), Origin::Default);
}

#[test]
fn an_api_key_of_digits_stays_text() {
    let variable = |name: &str| (name == "FRONTDESK_API_KEY").then(|| "0012345678".to_owned());
    let resolved = resolve(&typed(&[]), Command::Serve, variable).unwrap();
    assert_eq!(resolved.settings.api_key, "0012345678");
}

#[test]
fn the_port_that_kubernetes_announces_for_a_service_is_not_ours() {
    let variable = |name: &str| (name == "FRONTDESK_PORT").then(|| "tcp://10.0.0.1:6006".to_owned());
    assert_eq!(resolve(&typed(&[]), Command::Serve, variable).unwrap().settings.port, 6006);
}

#[test]
fn both_spellings_of_model_path() {
    assert_eq!(typed(&["--model_path", "m"]).model_path, typed(&["--model-path", "m"]).model_path);
}

#[test]
fn refusals_name_setting_origin_value_and_what_is_allowed() {
    let message = refusal(&["--tensor-parallel-size", "3"], Command::Serve);
    for part in ["tensor_parallel_size", "= 3", "flag --tensor-parallel-size", "1, 2, 4 or 8"] {
        assert!(message.contains(part), "{message}");
    }
    let variable = |name: &str| (name == "FRONTDESK_PORT").then(|| "many".to_owned());
    let message = resolve(&typed(&[]), Command::Serve, variable).err().unwrap().to_string();
    for part in ["port", "many", "FRONTDESK_PORT", "u16"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_log_level_is_one_that_exists() {
    for wrong in
        ["bogus", "", "inof,frontdesk_engine=debug", "info,frontdesk_engine=loud", "frontdesk_engine"]
    {
        assert!(refusal(&["--log-level", wrong], Command::Serve).contains("off"), "{wrong}");
    }
    for right in ["off", "WARN", "info,frontdesk_engine=debug", "frontdesk_engine=trace"] {
        let resolved = resolve(&typed(&["--log-level", right]), Command::Serve, NOTHING).unwrap();
        assert!(validate::validate(&resolved, Command::Serve).is_ok(), "{right}");
    }
}

#[test]
fn kinds_to_mask_are_named_alone_or_with_a_set() {
    let masked = |kinds: &str| {
        let resolved = resolve(&typed(&["--mask-kinds", kinds]), Command::Serve, NOTHING).unwrap();
        let policy = validate::validate(&resolved, Command::Serve).unwrap().mask;
        [Kind::Phone, Kind::Ipv4].map(|kind| policy.masks(kind))
    };
    assert_eq!(masked("default"), [true, false]);
    assert_eq!(masked("default, ipv4"), [true, true]);
    assert_eq!(masked("ipv4"), [false, true]);
    assert_eq!(masked("none"), [false, false]);
    for wrong in ["", " , ", "phones"] {
        assert!(
            refusal(&["--mask-kinds", wrong], Command::Serve).contains("default, all, none"),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_cache_too_small_for_any_request_is_refused() {
    let message = refusal(&["--kv-blocks", "1"], Command::Serve);
    assert!(message.contains("kv_blocks") && message.contains("256 tokens"), "{message}");
}

#[test]
fn json_has_numbers_and_flags_as_such() {
    let flags = typed(&["--port", "7000", "--api-key", "12345678", "--default-temperature", "0.7"]);
    let resolved = resolve(&flags, Command::Serve, NOTHING).unwrap();
    let value = |name: &str| resolved.lines().find(|line| line.name == name).unwrap().json;
    assert_eq!(value("port"), 7000);
    assert_eq!(value("cache"), true);
    assert_eq!(value("default_temperature"), 0.7);
    assert_eq!(value("host"), "127.0.0.1");
    assert_eq!(value("api_key"), "***");
}

#[test]
fn a_misspelt_setting_in_the_file_is_refused() {
    let (_folder, path) = file("prot = 1\n");
    let message = resolve(&typed(&["--config", &path]), Command::Serve, NOTHING).err().unwrap().to_string();
    assert!(message.contains("prot") && message.contains(&path), "{message}");
}

#[test]
fn the_demo_stays_on_this_machine_and_nobody_serves_others_without_a_key() {
    assert!(refusal(&["--host", "0.0.0.0"], Command::Demo).contains("127.0.0.1"));
    assert!(
        refusal(&["--host", "0.0.0.0", "--api-key", "12345678"], Command::Demo).contains("this machine only")
    );
    assert!(refusal(&["--host", "0.0.0.0"], Command::Serve).contains("api_key"));
    let flags = typed(&["--host", "0.0.0.0", "--api-key", "12345678"]);
    let resolved = resolve(&flags, Command::Serve, NOTHING).unwrap();
    assert!(validate::validate(&resolved, Command::Serve).is_ok());
}

#[test]
fn secrets_are_never_shown() {
    let short = "only-twenty-bytes-xx";
    assert!(!refusal(&["--jwt-secret", short], Command::Serve).contains(short));
    let flags = typed(&["--api-key", "key-of-the-shop"]);
    let resolved = resolve(&flags, Command::Serve, NOTHING).unwrap();
    let shown: String = resolved.lines().map(|line| line.value).collect();
    assert!(shown.contains("***") && !shown.contains("key-of-the-shop"));
    let config = validate::validate(&resolved, Command::Serve).unwrap();
    assert!(!format!("{config:?}").contains("key-of-the-shop"));
}
