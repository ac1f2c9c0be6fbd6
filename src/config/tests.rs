use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::*;

fn read(arguments: &[&str]) -> Result<ArgMatches, clap::Error> {
    Serve::augment_args(Command::new("serve").no_binary_name(true)).try_get_matches_from(arguments)
}

fn settings(arguments: &[&str]) -> Settings {
    let serve = Serve::from_arg_matches(&read(arguments).unwrap()).unwrap();
    load(&serve, &Environment::from([("LEVERET_CONFIG_FILE", "/dev/null")])).settings
}

fn refused(arguments: &[&str]) -> String {
    read(arguments).unwrap_err().to_string()
}

#[test]
fn a_switch_is_on_without_a_value() {
    assert!(settings(&["--in-memory"]).in_memory);
    assert!(!settings(&[]).in_memory);
    assert!(!settings(&["--in-memory=false"]).in_memory);
}

#[test]
fn a_data_directory_excludes_memory() {
    assert!(refused(&["--in-memory", "--data-dir", "x"]).contains("cannot be used with"));
}

#[test]
fn a_tip_names_what_there_is() {
    assert!(refused(&["--compatibility", "4.1"]).contains("4.2 is closest to it"));
    assert_eq!(settings(&["--port", "5673"]).amqp_listen, [Listen::Localhost(5673)]);
    assert_eq!(settings(&["--http-port", "8080"]).http_listen, [Listen::Localhost(8080)]);
}

/// A value that is wrong for each setting, by its type; what takes any text has none.
const WRONG: [(&str, &[&str]); 42] = [
    ("WEB_PATH", &["/a b", "/a//b", ""]),
    ("NAME.KEY=VALUE", &["name", "a.b=c", "a=", ""]),
    ("classic|quorum", &["stream", ""]),
    ("sha256|sha512|md5", &["sha1", "SHA256", ""]),
    ("LIMIT", &["many", "-1", ""]),
    ("CHANNELS", &["many", "-1", "65536", ""]),
    ("FRAME_BYTES", &["8191", "16777217", "-1", ""]),
    ("FILE", &[""]),
    ("COUNT", &["many", "-1", "65536", ""]),
    ("DATE", &["daily", "$D24", "D0", ""]),
    ("CATEGORY=LEVEL", &["queue", "colour=debug", "queue=loud", ""]),
    ("GROUP", &["", "a b", "-1"]),
    ("HOST=CERT:KEY", &["a.example", "a.example=/c.pem", ""]),
    ("none|peer", &["maybe", ""]),
    ("MECHANISM", &["KERBEROS", ""]),
    ("WHAT", &["name", ""]),
    ("KIND", &["name", ""]),
    ("INDEX", &["first", "-1", ""]),
    ("REGEX", &["(", "*"]),
    ("ADDR:PORT", &["nowhere", "localhost:65536", "::1", "-1"]),
    ("true|false", &["maybe", "", "2"]),
    ("BYTES", &["much", "-1", "1.5GB", "1XB", ""]),
    ("TIME", &["soon", "-1s", "1y", ""]),
    ("VERSION", &["4.1", "3.8", "latest", ""]),
    ("text|json", &["xml", ""]),
    ("LEVEL", &["verbose", "", "leveret=loud"]),
    ("PATH", &[""]),
    ("HTTP_URL", &["localhost:8080", "ftp://a/", ""]),
    ("URL", &["localhost:8080", "ftp://a/", "https://", ""]),
    ("BACKEND", &["kerberos", "http/kerberos", ""]),
    ("NAME=VALUE", &["name", "=value", "name="]),
    ("ALGORITHM", &["RS1", "none", ""]),
    ("QUERY", &["{in_group", "nothing known"]),
    ("QUERIES", &["{administrator", "nothing known"]),
    ("get|post", &["put", ""]),
    ("CLIENTS", &["many", "0", "65536", ""]),
    ("PORT", &["many", "0", "65536", ""]),
    ("udp|tcp|tls|unix", &["smoke", ""]),
    ("rfc3164|rfc5424", &["rfc1", ""]),
    ("FACILITY", &["local8", ""]),
    ("IDENTITY", &["a b", ""]),
    ("NAME", &[]),
];

#[test]
fn every_wrong_value_of_every_setting_is_one_line_with_its_place_and_what_is_allowed() {
    let file = std::env::temp_dir().join(format!("leveret-wrong-{}.toml", std::process::id()));
    for setting in SETTINGS.iter().filter(|setting| !setting.is_secret) {
        let (_, wrong) = WRONG.iter().find(|(name, _)| *name == setting.value_name).expect(setting.name);
        for value in wrong.iter().copied() {
            let serve = |config: &std::path::Path| Serve { config: vec![config.to_owned()], ..Serve::default() };
            let mut told = Vec::new();
            std::fs::write(&file, format!("\n  {} = '{value}'\n", setting.name)).unwrap();
            let by_file = load(&serve(&file), &Environment::default());
            told.extend(by_file.wrong().map(|problem| (format!("{}:2:3: ", file.display()), problem.to_string())));
            if !(value.is_empty() && setting.is_list) {
                let variable = Environment::from([(setting.variable().as_str(), value)]);
                let by_variable = load(&serve("/dev/null".as_ref()), &variable);
                told.extend(
                    by_variable.wrong().map(|problem| (format!("{}: ", setting.variable()), problem.to_string())),
                );
                assert_eq!(told.len(), 2, "{} = '{value}': {told:?}", setting.name);
            }
            for (place, told) in told {
                assert!(told.starts_with(&place), "{told}");
                assert!(told.contains(&format!("cannot be '{value}': ")) && told.lines().count() == 1, "{told}");
                let is_helpful = ["allowed is ", " is not in 0..=", "port"].iter().any(|words| told.contains(words));
                assert!(is_helpful, "{told}");
            }
            let flag = format!("--{}={value}", setting.flag().unwrap());
            let by_flag = refused(&[&flag]);
            let expected = [format!("'{value}'"), format!("--{}", setting.flag().unwrap()), "allowed is ".to_owned()];
            let first = by_flag.lines().next().unwrap_or_default();
            let is_told = expected.iter().all(|words| first.contains(words))
                || first.contains(" is not in 0..=")
                || first.contains("port");
            assert!(is_told, "{by_flag}");
        }
    }
    std::fs::remove_file(file).unwrap();
}
