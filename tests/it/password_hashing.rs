//! `password_hashing_module`: how passwords of new users are hashed, whoever makes them; old hashes go on.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::broker::Management;
use crate::client::Connect;
use crate::commands::Tools;
use crate::process::{Directory, Program};

/// Hashes of RabbitMQ, made with SHA-256.
const OF_TEST12: &str = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

/// A program with this line in its `rabbitmq.conf`.
fn configured(name: &str, line: &str) -> (Directory, Program, Management) {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    std::fs::write(&conf, line).unwrap();
    let arguments = ["--in-memory", "--http-listen", "127.0.0.1:0", "--config", conf.to_str().unwrap()];
    let program = Program::start(&format!("{name}-run"), &arguments);
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    (directory, program, Management::at(SocketAddr::from(([127, 0, 0, 1], port))))
}

/// The algorithm that the API tells, and how long the hash is.
fn hash_of(api: &Management, user: &str) -> (Value, usize) {
    let found = api.get(&format!("/api/users/{user}"));
    (found["hashing_algorithm"].clone(), found["password_hash"].as_str().unwrap().len())
}

async fn logs_in(program: &Program, api: &Management, user: &str, password: &str) {
    assert_eq!(api.clone().log_in(user, password).get("/api/whoami")["name"], json!(user));
    api.permit(user, "%2F", ".*", ".*", ".*");
    Connect::to(program.address()).user(user, password).open().await;
}

/// RabbitMQ 4.3.6 says the same of these users, but of `unknown`, who keeps a name that means nothing and cannot log in.
#[tokio::test(flavor = "multi_thread")]
async fn new_users_get_the_hash_that_is_configured() {
    for (module, base64_bytes) in [("sha512", 92), ("md5", 28), ("sha256", 48)] {
        let module = format!("rabbit_password_hashing_{module}");
        let name = format!("hashing-{base64_bytes}");
        let (_directory, program, api) = configured(&name, &format!("password_hashing_module = {module}\n"));
        let expected = (json!(module), base64_bytes);
        api.create_user("made", "secret", "management");
        let users = json!({ "users": [
            { "name": "clear", "password": "secret", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "management" },
            { "name": "plain", "password_hash": OF_TEST12, "tags": [] },
            { "name": "unknown", "password_hash": OF_TEST12, "hashing_algorithm": "zzz", "tags": [] },
            { "name": "nobody", "tags": [] },
            { "name": "old", "password_hash": OF_TEST12, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "management" },
        ]});
        assert_eq!(api.request("POST", "/api/definitions", Some(&users)).0, 204);
        api.put("/api/users/hashed", &json!({ "password_hash": OF_TEST12, "tags": "" }));
        for user in ["guest", "made", "clear"] {
            assert_eq!(hash_of(&api, user), expected, "{user}");
        }
        for (user, length) in [("plain", 48), ("hashed", 48), ("unknown", 48), ("nobody", 0)] {
            assert_eq!(hash_of(&api, user), (json!(module), length), "{user}");
        }
        assert_eq!(hash_of(&api, "old"), (json!("rabbit_password_hashing_sha256"), 48));
        logs_in(&program, &api, "made", "secret").await;
        logs_in(&program, &api, "clear", "secret").await;
        logs_in(&program, &api, "old", "test12").await;
        let hash = api.get("/api/auth/hash_password/secret");
        assert_eq!(hash["ok"].as_str().unwrap().len(), base64_bytes);
    }
}

/// What was exported says how each password was hashed, so that another node need not be configured so.
#[tokio::test(flavor = "multi_thread")]
async fn hashes_move_to_a_node_with_another_algorithm() {
    let (_directory, _program, from) =
        configured("hashing-from", "password_hashing_module = rabbit_password_hashing_sha512");
    from.create_user("moved", "secret", "management");
    let file = from.get("/api/definitions");
    let user = file["users"].as_array().unwrap().iter().find(|user| user["name"] == "moved").unwrap();
    assert_eq!(user["hashing_algorithm"], "rabbit_password_hashing_sha512");
    let (_directory, program, into) = configured("hashing-into", "");
    assert_eq!(into.request("POST", "/api/definitions", Some(&file)).0, 204);
    assert_eq!(hash_of(&into, "moved"), (json!("rabbit_password_hashing_sha512"), 92));
    logs_in(&program, &into, "moved", "secret").await;
}

#[test]
fn commands_hash_as_it_is_configured() {
    let tools = Tools::start_with("hashing-commands", &["--password-hashing", "sha512"]);
    tools.ok("rabbitmqctl add_user u first && rabbitmqctl authenticate_user u first");
    tools.ok("rabbitmqctl change_password u second && rabbitmqctl authenticate_user u second");
    tools.ok("rabbitmqctl set_user_tags u monitoring && rabbitmqctl authenticate_user u second");
    assert_eq!(tools.shell("rabbitmqctl authenticate_user u first").code, 65);
    tools.ok("rabbitmqctl add_user --pre-hashed-password v $(rabbitmqctl -q hash_password third)");
    tools.ok("rabbitmqctl authenticate_user v third");
    let exported = tools.ok("rabbitmqctl -q export_definitions -");
    assert_eq!(exported.matches("rabbit_password_hashing_sha512").count(), 3, "{exported}");
    tools.ok("rabbitmqctl -q export_definitions - | rabbitmqctl -q import_definitions");
    tools.ok("rabbitmqctl authenticate_user v third && rabbitmqctl authenticate_user guest guest");
}
