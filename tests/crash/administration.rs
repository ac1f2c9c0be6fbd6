//! An administrator in a history. After a crash, what was administered is what it was at one moment: at the end of the log that was
//! found, with nothing half done, and a virtual host that was deleted gone with its messages.

use std::sync::Arc;

use leveret::internals::auth::PasswordHash;
use leveret::internals::broker::Broker;
use leveret::internals::broker::administration::VhostSettings;
use leveret::internals::broker::definitions::{
    ApplyTo, ParameterDefinition, PolicyDefinition, TopicPermissionDefinition,
};
use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::NewMessage;
use leveret::internals::broker::sink::Sink;
use leveret::internals::broker::vhost::QueueDeclare;
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::store::TransactionId;
use leveret::internals::table::Table;
use serde_json::json;

use crate::probe::{body, identify};
use crate::queues::NOBODY;
use crate::random::Random;
use crate::world::{Basket, World};

pub const VHOST: &str = "administered";
const USER: &str = "user";

/// What was at one time: known since `from` at the earliest, and for sure at `to`.
struct Past {
    from: u64,
    to: u64,
    state: String,
}

/// What an administrator did.
pub struct Administration {
    pasts: Vec<Past>,
    /// Each queue has a name of its own, so that one that comes back is known.
    generation: u64,
}

impl Administration {
    /// Begins with what there is.
    pub fn of(broker: &Broker) -> Self {
        Self { pasts: vec![Past { from: 0, to: 0, state: state(broker) }], generation: 0 }
    }

    /// Goes on with what was found.
    pub fn go_on(&mut self, broker: &Broker) {
        self.pasts = Self::of(broker).pasts;
    }

    /// Does something; what, in words.
    pub fn step(&mut self, broker: &Broker, random: &mut Random, now_ms: u64, head: impl Fn() -> u64) -> String {
        let from = head();
        self.generation += 1;
        let what = self.act(broker, random, now_ms);
        self.pasts.push(Past { from, to: head(), state: state(broker) });
        format!("{what} ({})", self.generation)
    }

    fn act(&self, broker: &Broker, random: &mut Random, now_ms: u64) -> &'static str {
        let name = || format!("n{}", self.generation % 4);
        let is_there = broker.vhost(VHOST).is_some();
        match random.below(if is_there { 12 } else { 3 }) {
            0 => {
                let settings = VhostSettings { description: self.generation.to_string(), ..VhostSettings::default() };
                broker.put_vhost(VHOST, settings, None).unwrap();
                "put vhost"
            }
            1 => {
                broker.put_user(USER, PasswordHash::none(), vec![name()]).unwrap();
                "put user"
            }
            2 => {
                broker.delete_user(USER).ok();
                "delete user"
            }
            3 | 4 => {
                broker.delete_vhost(VHOST).unwrap();
                "delete vhost"
            }
            5 | 6 => {
                self.fill(broker, now_ms);
                "fill vhost"
            }
            7 => {
                broker.permit_everything(USER, VHOST).ok();
                "permit"
            }
            8 => {
                let (user, vhost, exchange) = (USER.to_owned(), VHOST.to_owned(), "amq.topic".to_owned());
                let (write, read) = (name(), name());
                let permission = TopicPermissionDefinition { user, vhost, exchange, write, read };
                broker.put_topic_permission(permission).ok();
                "permit topics"
            }
            9 => {
                broker.put_vhost_limit(VHOST, "max-connections", &json!(self.generation)).unwrap();
                "limit"
            }
            10 => {
                let definition = [("max-length".to_owned(), json!(self.generation))].into_iter().collect();
                let (vhost, pattern, is_operator) = (VHOST.to_owned(), ".*".to_owned(), random.one_in(2));
                let (apply_to, priority) = (ApplyTo::All, 0);
                let policy =
                    PolicyDefinition { vhost, name: name(), pattern, apply_to, definition, priority, is_operator };
                broker.put_policy(policy, now_ms).unwrap();
                "put policy"
            }
            _ => {
                let (vhost, component, value) = (VHOST.to_owned(), "c".to_owned(), json!(self.generation));
                broker.put_parameter(ParameterDefinition { vhost, component, name: name(), value }).unwrap();
                "put parameter"
            }
        }
    }

    /// A queue with messages that tell when they were published.
    fn fill(&self, broker: &Broker, now_ms: u64) {
        let vhost = broker.vhost(VHOST).unwrap();
        let queue = format!("q{}", self.generation);
        let arguments = Table::new();
        let declare =
            QueueDeclare { queue: queue.clone(), durable: true, exclusive: false, auto_delete: false, arguments };
        let declared = vhost.declare_queue(&declare, NOBODY, now_ms).unwrap();
        let facts = Facts { persistent: true, ..Facts::default() };
        for _ in 0..3 {
            let bytes = body(self.generation, 100);
            let address = address("", queue.as_bytes());
            let message = Message::standalone(&broker.node().memory, facts, &address, &[0, 0], &bytes);
            declared.queue.publish([NewMessage::published(message, None)], TransactionId::NONE, now_ms, |_| {});
        }
    }

    /// What was found is what there was when the log ended there.
    pub fn check(&self, world: &World, now_ms: u64) {
        let found = state(&world.broker);
        let certain = self.pasts.iter().rposition(|past| past.to <= world.head).unwrap_or(0);
        let mut possible = self.pasts[certain..].iter().filter(|past| past.to <= world.head || past.from < world.head);
        assert!(
            possible.any(|past| past.state == found),
            "found {found}, but at {} it was {}",
            world.head,
            self.pasts[certain].state
        );
        let Some(vhost) = world.broker.vhost(VHOST) else { return };
        let sink: Arc<dyn Sink> = Arc::<Basket>::default();
        for queue in vhost.read(|topology| topology.queues().cloned().collect::<Vec<_>>()) {
            // What is in a file is not read here: it is enough that it is nobody else's.
            if let Ok(Some((delivery, _))) = queue.get(ChannelId(1), &sink, true, now_ms) {
                assert_eq!(format!("q{}", identify(&delivery.message)), *queue.spec.name);
            }
        }
    }
}

/// Everything that is administered, and the queues of the virtual host that comes and goes.
fn state(broker: &Broker) -> String {
    let queues = broker.vhost(VHOST).map(|vhost| {
        let mut names: Vec<_> =
            vhost.read(|topology| topology.queues().map(|queue| queue.spec.name.to_string()).collect());
        names.sort();
        names
    });
    // `/` is made at each start, if it is not there.
    let mut vhosts = broker.vhost_definitions();
    vhosts.retain(|vhost| vhost.name == VHOST);
    let administered = (vhosts, broker.users(), broker.permissions(), broker.topic_permissions());
    let policies = (broker.policies(false), broker.policies(true), broker.parameters());
    format!("{administered:?} {policies:?} {queues:?}")
}
