//! `leveret perf`: what it sends, receives and says.

use super::Tools;
use crate::client::Connect;
use crate::tls::{Authority, Files};

const PERF: &str = "leveret perf -h amqp://guest:guest@127.0.0.1:$AMQP_PORT --id t";

#[test]
fn it_publishes_and_consumes_so_many_messages_and_says_how_fast() {
    let tools = Tools::start("perf");
    let told =
        tools.ok(&format!("{PERF} -u perf -x 2 -y 1 -C 300 -D 600 -c 50 -q 100 -A 10 -s 100 -f persistent -z 60"));
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines[..3],
        ["id: t, starting consumer #0", "id: t, starting producer #0", "id: t, starting producer #1"]
    );
    let measured: Vec<_> = lines.iter().filter(|line| line.starts_with("id: t, time ")).collect();
    for line in &measured {
        for part in [" s, sent: ", " msg/s, confirmed: ", " msg/s, nacked: 0 msg/s, received: "] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    assert!(told.contains("min/median/75th/95th/99th consumer latency: "), "{told}");
    assert!(told.contains("min/median/75th/95th/99th confirm latency: "), "{told}");
    assert!(told.contains("\ntest stopped (All limits reached)\nid: t, sending rate avg: "), "{told}");
    // It went with its last consumer.
    assert_eq!(tools.ok("rabbitmqctl -q list_queues name messages"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_already_is_used_and_a_rate_is_kept() {
    let tools = Tools::start("perf-predeclared");
    let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
    ch.declare(crate::client::queue("there").durable()).await;
    tools.ok(&format!("{PERF} -p -u there -y 0 -C 20 -s 5"));
    ch.expect_ready("there", 20).await;
    let told = tools.ok(&format!("{PERF} -p -u there -x 0 -D 20 -a"));
    assert!(told.contains("received: "), "{told}");
    ch.expect_ready("there", 0).await;
    // The first is due at once, the last one after 90 ms.
    let told = tools.ok(&format!("{PERF} -p -u there -r 100 -C 10 -D 10 -z 60"));
    let rate = told.lines().find_map(|line| line.strip_prefix("id: t, sending rate avg: ")?.strip_suffix(" msg/s"));
    assert!(rate.unwrap().parse::<u64>().unwrap() <= 120, "{told}");
}

#[test]
fn queues_of_a_pattern_and_an_exchange_are_declared_and_perf_tests_spellings_understood() {
    let tools = Tools::start("perf-pattern");
    let flags = "-qp q-%d -qpf 1 -qpt 3 -ad false -qa x-max-length=5,x-overflow=reject-publish -e perf -t topic -ms";
    tools.ok(&format!("{PERF} {flags} -x 3 -y 0 -C 10"));
    let queues = tools.ok("rabbitmqctl -q list_queues name messages arguments");
    let arguments = "[{\"x-max-length\",5},{\"x-overflow\",\"reject-publish\"}";
    for queue in ["q-1", "q-2", "q-3"] {
        assert!(queues.contains(&format!("{queue}\t5\t{arguments}")), "{queues}");
    }
    assert!(tools.ok("rabbitmqctl -q list_exchanges name type").contains("perf\ttopic\n"));
}

#[test]
fn it_speaks_tls_with_the_options_of_the_other_commands() {
    let authority = Authority::new("Test CA");
    let files = Files::new(&authority, &authority.server());
    let [ca, cert, key] =
        [files.cacertfile(), files.certfile(), files.keyfile()].map(|file| file.to_str().unwrap().to_owned());
    let listen = ["--amqps-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let tools = Tools::start_with("perf-tls", &listen);
    let place = format!("amqps://guest:guest@localhost:{}", tools.program.ports()["amqps"]);
    let perf = format!("leveret perf -h {place} --id t -C 20 -D 20 -z 60");
    for options in [format!("--tls-ca-cert-file {ca}"), "--insecure".to_owned()] {
        let told = tools.ok(&format!("{perf} {options}"));
        assert!(told.contains("\ntest stopped (All limits reached)\n"), "{told}");
    }
    let (code, error) = tools.fails(&perf);
    assert!(code == 69 && error.starts_with("leveret: cannot connect: "), "{error}");
    assert!(error.contains("; --tls-ca-cert-file names the authorities to believe"), "{error}");
    let (code, error) = tools.fails(&format!("{perf} --tls-ca-cert-file /nowhere.pem"));
    assert!(code == 69 && error.contains("cannot read the authorities in /nowhere.pem"), "{error}");
}

#[test]
fn what_goes_wrong_is_one_sentence() {
    let tools = Tools::start("perf-wrong");
    let (code, error) = tools.fails(&format!("{PERF} -p -u nowhere -x 0 -z 60"));
    assert!(code == 69 && error.starts_with("leveret: cannot consume from nowhere: "), "{error}");
    let (code, error) = tools.fails(&format!("{PERF} -x 0 -y 0"));
    assert!(code == 64 && error.contains("there is nothing to do"), "{error}");
    let (code, error) = tools.fails("leveret perf -h amqp://127.0.0.1:1 -z 1");
    assert!(code == 69 && error.starts_with("leveret: cannot connect: "), "{error}");
}
