//! Pages, order, columns and filters of lists.

use std::time::Duration;

use serde_json::{Value, json};

use super::{call, refused};
use crate::broker::{Management, Setup, TestBroker};
use crate::client::{consume, publish, queue};

/// Queues whose names begin alike, so that a shared broker has no others of that name.
fn declare(broker: &TestBroker, api: &Management, count: usize) -> String {
    let stem = broker.name("page");
    for number in 0..count {
        let name = format!("{stem}-{number}");
        call(api, "PUT", &format!("/api/queues/%2F/{name}"), &json!({ "durable": number % 2 == 0 }));
    }
    stem
}

fn remove(api: &Management, stem: &str, count: usize) {
    for number in 0..count {
        api.delete_quietly(&format!("/api/queues/%2F/{stem}-{number}"));
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_an_object_that_counts() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 5);
    let page = api.get(&format!("/api/queues?page=2&page_size=2&name={stem}&columns=name"));
    let numbers = ["filtered_count", "item_count", "page", "page_count", "page_size"].map(|key| page[key].clone());
    assert_eq!(numbers, [5, 2, 2, 3, 2]);
    assert_eq!(names(&page["items"]), [format!("{stem}-2"), format!("{stem}-3")]);
    let reverse = api.get(&format!("/api/queues?page=1&page_size=2&name={stem}&sort=name&sort_reverse=true"));
    assert_eq!(names(&reverse["items"]), [format!("{stem}-4"), format!("{stem}-3")]);
    let regex = api.get(&format!("/api/queues?page=1&name={stem}-[13]&use_regex=true"));
    assert_eq!(names(&regex["items"]), [format!("{stem}-1"), format!("{stem}-3")]);
    let bad = api.get(&format!("/api/queues?page=1&name={stem}-[&use_regex=true"));
    assert_eq!((bad["filtered_count"].clone(), bad["page_count"].clone()), (json!(0), json!(0)));
    let upper = api.get(&format!("/api/queues?page=1&name={}", stem.to_uppercase()));
    assert_eq!(upper["filtered_count"], 5);
    remove(&api, &stem, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_is_refused() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let get = |query: &str| api.request("GET", &format!("/api/queues?{query}"), None);
    let invalid = |text: &str| refused(400, "invalid_pagination_parameters", text);
    let zero = invalid("Invalid pagination parameters: page number 0, page size undefined");
    assert_eq!(get("page=0"), zero);
    assert_eq!(get("page=1&page_size=501"), invalid("Invalid pagination parameters: page number 1, page size 501"));
    assert_eq!(get("page=x"), refused(400, "bad_request", "Pagination parameters are invalid"));
    let beyond = refused(400, "page_out_of_range", "Page out of range, page: 9 page size: 100, len: 0");
    assert_eq!(get("page=9&name=no-queue-has-this-name"), beyond);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_reduce_objects_even_to_nothing() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 1);
    let path = format!("/api/queues/%2F/{stem}-0");
    assert_eq!(
        api.get(&format!("{path}?columns=name,arguments.x-queue-type,zzz")),
        json!({
            "name": format!("{stem}-0"), "arguments": { "x-queue-type": "classic" },
        })
    );
    assert_eq!(api.get(&format!("{path}?columns=zzz")), json!([]));
    let page = api.get(&format!("/api/queues?page=1&name={stem}&columns=zzz"));
    assert_eq!(page["items"], json!([[]]));
    remove(&api, &stem, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statistics_a_queue_is_what_it_was_declared_as() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let stem = declare(&broker, &api, 1);
    let page = api.get(&format!("/api/queues?page=1&name={stem}&disable_stats=true"));
    let queue = page["items"][0].as_object().unwrap();
    for key in ["name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "node", "state"] {
        assert!(queue.contains_key(key), "{key}");
    }
    for key in ["messages", "message_stats", "consumers", "memory"] {
        assert!(!queue.contains_key(key), "{key}");
    }
    remove(&api, &stem, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_lists_have_no_pages() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for path in ["/api/bindings", "/api/consumers", "/api/nodes"] {
        assert!(api.get(&format!("{path}?page=1")).is_array(), "{path}");
    }
    for path in ["/api/queues", "/api/exchanges", "/api/connections", "/api/channels"] {
        assert!(api.get(path).is_array(), "{path}");
        assert!(api.get(&format!("{path}?page_size=1&name=x")).is_array(), "{path}");
        assert!(api.get(&format!("{path}?page=1"))["items"].is_array(), "{path}");
    }
}

/// Only the rows of a page are looked at closely, so they must be the same ones that a sorted list has there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_together_are_the_whole_list_in_its_order() {
    // Rates and ages stand still while lists are compared.
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let stem = declare(&broker, &api, 10);
    let ch = broker.connect().await.channel(1).await;
    for number in [3, 3, 7, 1, 3, 7] {
        ch.publish(publish("", format!("{stem}-{number}"), "a")).await;
        ch.sync().await;
        broker.pass(Duration::from_millis(10)).await;
    }
    ch.expect_ready(&format!("{stem}-7"), 2).await;
    for sort in ["", "name", "vhost", "messages", "messages_ready", "oldest_ready_age_ms", "state", "durable"]
        .into_iter()
        .chain(["message_stats.publish_details.rate", "message_stats.deliver_get_details.rate", "no.such"])
    {
        for reverse in ["false", "true"] {
            let order = format!("name={stem}&sort={sort}&sort_reverse={reverse}&columns=name");
            let all = api.get(&format!("/api/queues?{order}&page=1&page_size=500"));
            let whole = api.get(&format!("/api/queues?{order}"));
            assert_eq!(names(&all["items"]), names(&whole), "{order}");
            let pages: Vec<_> =
                (1..=4).map(|page| api.get(&format!("/api/queues?{order}&page={page}&page_size=3"))).collect();
            let together: Vec<_> = pages.iter().flat_map(|page| names(&page["items"])).collect();
            assert_eq!(together, names(&whole), "{order}");
        }
    }
    let fullest = api.get(&format!("/api/queues?name={stem}&sort=messages&sort_reverse=true&page=1&page_size=2"));
    assert_eq!(names(&fullest["items"]), [format!("{stem}-3"), format!("{stem}-7")]);
    remove(&api, &stem, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_changed_is_not_sent_again() {
    let broker = Setup { http: true, manual_clock: true, ..Setup::default() }.start().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let path = "/api/queues?page=1&columns=name,messages";
    let first = api.send("GET", path, "", &[]);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = api.send("GET", path, "", &[("if-none-match", &tag)]);
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", &*tag));
    let stem = declare(&broker, &api, 1);
    let changed = api.send("GET", path, "", &[("if-none-match", &tag)]);
    assert!(changed.status == 200 && changed.text.contains(&stem), "{}", changed.text);
    assert_ne!(changed.header("etag"), tag);
    // Who may not see it is not told whether it has changed.
    api.create_user("nobody", "n", "");
    let stranger = api.log_in("nobody", "n").send("GET", path, "", &[("if-none-match", &tag)]);
    assert_eq!(stranger.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_are_found_and_sorted_page_by_page() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    let ch = broker.connect().await.channel(1).await;
    for name in ["orders", "mail", "audit"] {
        ch.declare(queue(name)).await;
        ch.consume(consume(name).tag(&format!("{name}-reader"))).await;
    }
    let tags = |query: &str| {
        let page = api.get(&format!("/api/leveret/consumers?{query}"));
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        items.iter().map(|item| item["consumer_tag"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tags("page=1&page_size=2&sort=queue.name&sort_reverse=true"), ["orders-reader", "mail-reader"]);
    assert_eq!(tags("page=2&page_size=2&sort=queue.name&sort_reverse=true"), ["audit-reader"]);
    assert_eq!(tags("page=1&name=MAIL"), ["mail-reader"]);
    assert_eq!(tags("page=1&name=%5Eaudit&use_regex=true"), ["audit-reader"]);
    let channel = api.get("/api/channels")[0]["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
    assert_eq!(tags(&format!("page=1&name={channel}")).len(), 3);
    assert_eq!(api.get("/api/leveret/consumers/%2F?page=1")["total_count"], 3);
    assert_eq!(api.get("/api/leveret/consumers").as_array().unwrap().len(), 3);
    api.create_user("other", "o", "management");
    assert_eq!(api.clone().log_in("other", "o").get("/api/leveret/consumers?page=1")["total_count"], 0);
}
