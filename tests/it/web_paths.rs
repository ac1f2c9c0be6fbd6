//! Where the API, the pages and the metrics are on the web server, when `rabbitmq.conf` says it.

use std::net::SocketAddr;

use serde_json::json;

use crate::broker::Management;
use crate::process::{Directory, Program, run};

/// A program that has read these lines of `rabbitmq.conf`.
fn configured(name: &str, lines: &str) -> (Directory, Program) {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    std::fs::write(&conf, lines).unwrap();
    let own = ["--in-memory", "--http-listen", "127.0.0.1:0", "--prometheus-listen", "127.0.0.1:0", "--config"];
    let program = Program::start(&format!("{name}-run"), &[own.as_slice(), &[conf.to_str().unwrap()]].concat());
    (directory, program)
}

fn at(program: &Program, protocol: &str) -> Management {
    let port = program.ports()[protocol].as_u64().unwrap().try_into().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// What RabbitMQ 4.3.6 answers with the same line.
#[test]
fn metrics_are_for_monitors_when_they_need_a_login() {
    let (_directory, program) = configured("metrics-login", "prometheus.authentication.enabled = true\n");
    let (api, metrics) = (at(&program, "http"), at(&program, "prometheus"));
    let users = [("m", "management"), ("n", "monitoring"), ("p", "policymaker"), ("a", "administrator"), ("z", "")];
    for (name, tag) in users {
        api.put(&format!("/api/users/{name}"), &json!({ "password": "p", "tags": tag }));
    }
    let no_monitor = (401, r#"{"error":"not_authorised","reason":"Not monitor user"}"#);
    let refusals = [
        ("m", no_monitor),
        ("p", no_monitor),
        ("z", (401, r#"{"error":"not_authorised","reason":"Not management user"}"#)),
        ("nobody", (401, r#"{"error":"not_authorized","reason":"Not_Authorized"}"#)),
    ];
    for (name, refused) in refusals {
        let answered = metrics.clone().log_in(name, "p").send("GET", "/metrics", "", &[]);
        assert_eq!((answered.status, answered.text.as_str()), refused, "{name}");
    }
    for name in ["n", "a"] {
        let answered = metrics.clone().log_in(name, "p").send("GET", "/metrics", "", &[]);
        assert!(answered.status == 200 && answered.text.contains("rabbitmq_build_info{"), "{answered:?}");
    }
    let nobody = metrics.authorized_by(None);
    for path in ["/metrics", "/metrics/per-object", "/metrics/detailed?family=queue_coarse_metrics"] {
        let answered = nobody.send("GET", path, "", &[]);
        let told = (answered.status, answered.text.as_str(), answered.header("www-authenticate"));
        assert_eq!(told, (401, "", "Basic realm=\"RabbitMQ Prometheus\""), "{path}");
    }
    assert_eq!(nobody.send("GET", "/healthz", "", &[]).status, 200);
}

/// What RabbitMQ 4.3.6 answers with the same line, but for the page without a slash, which names its files wrongly there.
#[test]
fn all_of_the_api_and_the_pages_are_below_the_prefix() {
    let (_directory, program) = configured("prefix", "management.path_prefix = /mq/prod\n");
    let api = at(&program, "http");
    for (path, status, location) in [
        ("/", 301, "/mq/prod/"),
        ("/mq/prod", 301, "/mq/prod/"),
        ("/mq/prod/", 200, ""),
        ("/mq/prod/index.html", 200, ""),
        ("/mq/prod/api", 301, "/mq/prod/api/index.html"),
        ("/mq/prod/api/", 301, "/mq/prod/api/index.html"),
        ("/mq/prod/api/index.html", 200, ""),
        ("/mq/prod/api/overview", 200, ""),
        ("/mq/prod/api/overview/", 200, ""),
        ("/mq/prod/cli", 301, "/mq/prod/cli/index.html"),
        ("/mq/prod/cli/rabbitmqadmin", 200, ""),
        ("/mq/prod/doc/stats.html", 301, "/mq/prod/api/index.html"),
        ("/mq/prod/js/oidc-oauth/login-callback.html", 200, ""),
        ("/mq", 404, ""),
        ("/mq/production/", 404, ""),
        ("/api/overview", 404, ""),
        ("/index.html", 404, ""),
        ("/cli", 404, ""),
    ] {
        let answered = api.send("GET", path, "", &[]);
        assert_eq!((answered.status, answered.header("location")), (status, location), "{path}");
    }
    // Every file that a page names is there, as the browser finds it.
    for page in ["/mq/prod/", "/mq/prod/api/index.html", "/mq/prod/js/oidc-oauth/login-callback.html"] {
        let text = api.send("GET", page, "", &[]).text;
        let directory = page.rsplit_once('/').unwrap().0;
        let files: Vec<_> = text.split('"').filter(|part| part.contains("assets/")).collect();
        assert!(files.len() > 2, "{text}");
        for file in files {
            let (mut directory, mut rest) = (directory, file.strip_prefix("./").unwrap_or(file));
            while let Some(above) = rest.strip_prefix("../") {
                (directory, rest) = (directory.rsplit_once('/').unwrap().0, above);
            }
            assert_eq!(api.send("GET", &format!("{directory}/{rest}"), "", &[]).status, 200, "{page}: {file}");
        }
    }
}

#[test]
fn commands_find_the_api_below_its_prefix() {
    let (_directory, program) = configured("prefix-commands", "management.path_prefix = /mq/\n");
    let port = program.ports()["http"].to_string();
    let url = format!("http://127.0.0.1:{port}/mq");
    let amqp = program.address().port().to_string();
    for arguments in [
        vec!["status", "--url", &url],
        // The socket of this machine knows no prefix.
        vec!["status", "--port", &amqp],
        vec!["admin", "--host", "127.0.0.1", "--port", &port, "--path-prefix", "/mq", "list", "vhosts"],
        vec!["admin", "--host", "127.0.0.1", "--port", &port, "--path-prefix", "/mq/api", "list", "vhosts"],
        vec!["admin", "--base-uri", &url, "list", "vhosts"],
    ] {
        let output = run(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn metrics_are_where_the_file_says_and_of_each_object() {
    let lines = "prometheus.path = /my-metrics\nprometheus.return_per_object_metrics = true\n";
    let (_directory, program) = configured("metrics-path", lines);
    at(&program, "http").put("/api/queues/%2F/q", &json!({ "durable": true }));
    let metrics = at(&program, "prometheus");
    let all = metrics.send("GET", "/my-metrics", "", &[]);
    assert_eq!(all.status, 200);
    assert!(all.text.contains("rabbitmq_queue_messages_ready{vhost=\"/\",queue=\"q\"}"), "{}", all.text);
    for (path, status) in [
        ("/my-metrics/", 200),
        ("/my-metrics/per-object", 200),
        ("/my-metrics/detailed", 200),
        ("/healthz", 200),
        ("/metrics", 404),
        ("/metrics/per-object", 404),
    ] {
        assert_eq!(metrics.send("GET", path, "", &[]).status, status, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused_with_what_is_allowed() {
    for line in ["management.path_prefix = /a{b}", "prometheus.path = /x?y"] {
        let directory = Directory::new("no-path");
        std::fs::create_dir_all(directory.path()).unwrap();
        let conf = directory.path().join("rabbitmq.conf");
        std::fs::write(&conf, line).unwrap();
        let output = run(&["config", "check", "--config", conf.to_str().unwrap()]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && text.contains("allowed is a path of letters"), "{line}: {text}");
    }
}
