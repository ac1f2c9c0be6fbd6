//! `exchange.declare` and `exchange.delete` (behaviour reference 3.1 to 3.4).

use std::sync::Arc;

use super::{Vhost, limits, refuse_default_exchange, without_line_breaks};
use crate::broker::exchange::{self, ExchangeType, Routing};
use crate::broker::ids::ExchangeId;
use crate::broker::own::{EVENT_EXCHANGE, LOG_EXCHANGE};
use crate::broker::policies::Subject;
use crate::broker::topology::{Exchange, ExchangeSpec, Removal, Topology, cost};
use crate::error::AmqpError;
use crate::table::{EncodedTable, Table, Value, ValueRef};

/// What a client asks for with `exchange.declare`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub struct ExchangeDeclare {
    pub exchange: String,
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub arguments: Table,
}

/// The exchanges that every virtual host has: name, type, internal.
const STANDARD_EXCHANGES: [(&str, &str, bool); 7] = [
    ("", "direct", false),
    ("amq.direct", "direct", false),
    ("amq.fanout", "fanout", false),
    ("amq.topic", "topic", false),
    ("amq.headers", "headers", false),
    ("amq.match", "headers", false),
    ("amq.rabbitmq.trace", "topic", true),
];

/// The exchanges that a new virtual host will have: name, and how it routes.
pub(in crate::broker) fn standard_exchanges() -> impl Iterator<Item = (&'static str, Box<dyn Routing>)> {
    STANDARD_EXCHANGES.iter().filter_map(|(name, kind, _)| {
        let routing = (exchange::lookup(kind)?.create)(&Table::new()).ok()?;
        Some((*name, routing))
    })
}

impl Vhost {
    /// The exchanges that this virtual host always has.
    fn predeclared(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let is_told = self.is_of_own_messages();
        let events = is_told.then_some((EVENT_EXCHANGE, "topic", true));
        let log = (is_told && self.node.settings.has_log_exchange).then_some((LOG_EXCHANGE, "topic", true));
        STANDARD_EXCHANGES.into_iter().chain(events).chain(log)
    }

    /// Whether it always has an exchange of this name.
    pub(super) fn is_predeclared(&self, name: &str) -> bool {
        self.predeclared().any(|(predeclared, ..)| predeclared == name)
    }

    /// Declares those that are missing.
    pub(in crate::broker) fn declare_standard_exchanges(&self) {
        for (name, kind, internal) in self.predeclared() {
            if self.read(|topology| topology.exchange(name).is_some()) {
                continue;
            }
            let Some(kind) = exchange::lookup(kind) else { continue };
            let Ok(routing) = (kind.create)(&Table::new()) else { continue };
            let spec = ExchangeSpec {
                name: name.into(),
                kind,
                durable: true,
                auto_delete: false,
                internal,
                arguments: EncodedTable::default(),
                alternate: None,
            };
            let id = ExchangeId(self.node.ids.fresh());
            let policies = self.policies();
            let applied = policies.applied(name, Subject::Exchange);
            self.change(|topology| {
                topology.add_exchange(id, spec, routing);
                topology.apply_policies(id, applied);
            });
            self.recheck_exchange(id, &policies);
        }
    }

    /// Declares an exchange, or finds an equivalent one.
    ///
    /// # Errors
    /// 403 for the default exchange and reserved names, 406 or 503 for an unknown type, 406 for bad arguments or an inequivalent exchange.
    pub fn declare_exchange(&self, declare: &ExchangeDeclare) -> Result<(), AmqpError> {
        let name = without_line_breaks(&declare.exchange);
        let kind = exchange::require(&declare.kind, self.node.settings.profile())?;
        refuse_default_exchange(&name)?;
        // Without the lock of writers: most declarations find what they declare.
        if let Some(known) = self.read(|topology| self.compare(topology, &name, kind, declare)) {
            return known;
        }
        if name.starts_with("amq.") {
            return Err(AmqpError::access_refused(format!("exchange name '{name}' contains reserved prefix 'amq.*'")));
        }
        // Outside of the lock: arguments are a client's, and may take long to read.
        let (spec, routing) = self.new_exchange(&name, kind, declare)?;
        let (id, policies) = (ExchangeId(self.node.ids.fresh()), self.policies());
        let applied = policies.applied(&name, Subject::Exchange);
        self.change(|topology| {
            // Somebody else may have declared it since.
            if let Some(known) = self.compare(topology, &name, kind, declare) {
                return known;
            }
            self.check_exchange_count(&name)?;
            self.check_room(topology, cost::of_exchange(&spec))?;
            topology.add_exchange(id, spec, routing);
            topology.apply_policies(id, applied);
            Ok(())
        })?;
        // Policies may have been replaced between the look at them and the change.
        self.recheck_exchange(id, &policies);
        Ok(())
    }

    /// What an exchange would be, and how it would route.
    pub(super) fn new_exchange(
        &self,
        name: &str,
        kind: &'static ExchangeType,
        declare: &ExchangeDeclare,
    ) -> Result<(ExchangeSpec, Box<dyn Routing>), AmqpError> {
        let alternate = self.alternate(name, &declare.arguments)?;
        let routing = (kind.create)(&declare.arguments)?;
        let spec = ExchangeSpec {
            name: name.into(),
            kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: (&declare.arguments).into(),
            alternate,
        };
        limits::check_arguments(spec.arguments.bytes(), &self.exchange_text(name))?;
        Ok((spec, routing))
    }

    /// Passive `exchange.declare`: type and flags do not matter.
    ///
    /// # Errors
    /// 404 when there is none, 403 for the default exchange.
    pub(crate) fn check_exchange(&self, name: &str) -> Result<(), AmqpError> {
        refuse_default_exchange(name)?;
        self.read(|topology| self.exchange_id(topology, name)).map(|_| ())
    }

    /// Whether this is a topic exchange, of which alone topic permissions speak.
    pub(crate) fn is_topic_exchange(&self, name: &str) -> bool {
        self.read(|topology| topology.exchange(name).is_some_and(|exchange| exchange.spec.kind.name == "topic"))
    }

    /// What it takes to delete an exchange: nothing if there is none.
    pub(crate) fn exchange_weight(&self, name: &str) -> usize {
        self.read(|topology| topology.exchange(name).map_or(0, Exchange::binding_count)) + self.delayed.len()
    }

    /// Deletes an exchange with its bindings; a missing one is fine.
    ///
    /// # Errors
    /// 403 for the default exchange and those whose name is reserved, 406 when it is in use and `if_unused` is set.
    pub fn delete_exchange(&self, name: &str, if_unused: bool) -> Result<(), AmqpError> {
        refuse_default_exchange(name)?;
        if name.starts_with("amq.") {
            let text = format!("deletion of system {} not allowed", self.exchange_text(name));
            return Err(AmqpError::access_refused(text));
        }
        let mut result = Ok(());
        // Looked at and removed under one lock: no binding comes in between.
        self.remove(|topology| {
            let Some(exchange) = topology.exchange(name) else { return Removal::default() };
            if if_unused && exchange.binding_count() > 0 {
                result = Err(AmqpError::precondition_failed(format!("{} in use", self.exchange_text(name))));
                return Removal::default();
            }
            let id = exchange.id;
            topology.remove_exchange(id)
        });
        result
    }

    /// Removes the auto-delete exchanges whose last binding led to something that did not survive, and what follows from it.
    pub(in crate::broker) fn remove_exchanges_without_bindings(&self) {
        let unbound: Vec<_> = self.read(|topology| {
            topology
                .exchanges()
                .filter(|exchange| exchange.has_lost_its_bindings())
                .map(|exchange| exchange.id)
                .collect()
        });
        for id in unbound {
            self.remove(|topology| topology.remove_exchange(id));
        }
    }

    fn compare(
        &self,
        topology: &Topology,
        name: &str,
        kind: &'static ExchangeType,
        declare: &ExchangeDeclare,
    ) -> Option<Result<(), AmqpError>> {
        topology.exchange(name).map(|exchange| self.check_equivalence(exchange, kind, declare))
    }

    /// Type, durable, auto_delete, internal, then the alternate exchange; the first difference is reported.
    fn check_equivalence(
        &self,
        exchange: &Exchange,
        kind: &'static ExchangeType,
        declare: &ExchangeDeclare,
    ) -> Result<(), AmqpError> {
        let spec = &exchange.spec;
        let text = self.exchange_text(&spec.name);
        super::queues::equivalent(&text, "type", kind.name, spec.kind.name)?;
        super::queues::equivalent(&text, "durable", declare.durable, spec.durable)?;
        super::queues::equivalent(&text, "auto_delete", declare.auto_delete, spec.auto_delete)?;
        super::queues::equivalent(&text, "internal", declare.internal, spec.internal)?;
        super::queues::equivalent_argument(
            &text,
            "alternate-exchange",
            declare.arguments.get("alternate-exchange"),
            spec.arguments.fields().get("alternate-exchange").map(ValueRef::to_owned).as_ref(),
        )
    }

    fn alternate(&self, name: &str, arguments: &Table) -> Result<Option<Arc<str>>, AmqpError> {
        let Some(value) = arguments.get("alternate-exchange") else { return Ok(None) };
        match value.as_str() {
            Some(alternate) => Ok(Some(alternate.into())),
            None => Err(AmqpError::precondition_failed(format!(
                "invalid type '{}' for arg 'alternate-exchange' in {}",
                Value::type_name(value),
                self.exchange_text(name)
            ))),
        }
    }
}
