//! `x-delayed-message`: holds a message back for the milliseconds in its header `x-delay`, then routes it as another type.
//!
//! This file knows how long; the virtual host holds the message and calls [`Routing::route`] when its time has come.

use std::sync::Arc;

use super::{
    Binding, Destination, DestinationKind, ExchangeType, History, Matches, RoutedMessage, Routing, Selection, lookup,
};
use crate::broker::profile::Profile;
use crate::error::AmqpError;
use crate::message::Message;
use crate::properties::{EXPIRATION_MS_MAX, InvalidExpiration, Properties, parse_expiration};
use crate::table::{Table, ValueRef};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-delayed-message",
    description: "routes as another type after a delay",
    arguments: &["x-delayed-type"],
    selection: Selection::AsNamedBy("x-delayed-type"),
    create: |arguments| Ok(Box::new(Delayed { inner: inner(arguments)? })),
};

/// The longest delay in milliseconds. RabbitMQ's plugin routes at once what is delayed by more than 2^32 ms, 49 days, a limit
/// of Erlang's timers that surprises its users; this one is that of the other times to live, ten years.
const DELAY_MS_MAX: u64 = EXPIRATION_MS_MAX;

/// The exchange type that routes once the delay is over.
#[derive(Debug)]
struct Delayed {
    inner: Box<dyn Routing>,
}

impl Routing for Delayed {
    fn check(&self, binding: &Binding, kind: DestinationKind, profile: &Profile) -> Result<(), AmqpError> {
        self.inner.check(binding, kind, profile)
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        self.inner.bind(binding);
    }

    fn bind_named(&mut self, binding: &Arc<Binding>, name: &Arc<str>) {
        self.inner.bind_named(binding, name);
    }

    fn unbind(&mut self, binding: &Binding) {
        self.inner.unbind(binding);
    }

    fn index_bytes(&self, binding: &Binding) -> usize {
        self.inner.index_bytes(binding)
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        self.inner.route(publish, matches);
    }

    /// The delay is in a header, so no answer may be remembered by key.
    fn routes_by_key_alone(&self) -> bool {
        false
    }

    fn check_publish(&self, properties: Properties<'_>) -> Result<(), AmqpError> {
        let Some(value) = properties.headers().and_then(|headers| headers.get("x-delay")) else { return Ok(()) };
        delay_ms(value).map(|_| ()).map_err(|TooLong(delay)| {
            let value = value.to_owned();
            AmqpError::precondition_failed(format!("invalid x-delay '{value}': {{value_too_large,{delay}}}"))
        })
    }

    /// What could not be refused, because no client published it here, is held as long as anything is: not at all would be the
    /// opposite of what was asked for.
    fn delay_ms(&self, publish: &RoutedMessage<'_>) -> Option<u64> {
        delay_ms(publish.properties.headers()?.get("x-delay")?).unwrap_or(Some(DELAY_MS_MAX))
    }

    fn remembers(&self) -> Option<u64> {
        self.inner.remembers()
    }

    fn bound_since(&self, bindings_made: u64) -> Vec<Destination> {
        self.inner.bound_since(bindings_made)
    }

    fn published(&self, message: &Message) {
        self.inner.published(message);
    }

    fn history(&self) -> History {
        self.inner.history()
    }
}

/// The routing of the type that `x-delayed-type` names.
fn inner(arguments: &Table) -> Result<Box<dyn Routing>, AmqpError> {
    let refused =
        || AmqpError::precondition_failed("Invalid argument, 'x-delayed-type' must be an existing exchange type");
    let name = arguments.get("x-delayed-type").and_then(|name| name.as_str()).ok_or_else(refused)?;
    if name == TYPE.name {
        return Err(refused());
    }
    let unknown = || AmqpError::precondition_failed(format!("unknown exchange type '{name}'"));
    (lookup(name).ok_or_else(unknown)?.create)(arguments)
}

/// More than [`DELAY_MS_MAX`]: the number as error texts show it.
#[derive(Debug, PartialEq)]
struct TooLong(String);

/// What the plugin takes for a delay: an integer, a float cut to one, or a string of decimal digits. Negative means none:
/// the plugin turns the sign of the header once a message was delayed, so that another delayed exchange lets it pass.
fn delay_ms(value: ValueRef<'_>) -> Result<Option<u64>, TooLong> {
    let ms = if let Some(integer) = value.as_integer() {
        u64::try_from(integer).unwrap_or(0)
    } else if let Some(float) = value.as_float() {
        whole(float)
    } else if let Some(text) = value.as_bytes() {
        match parse_expiration(text) {
            Ok(ms) => ms,
            Err(InvalidExpiration::TooLarge(digits)) => return Err(TooLong(digits)),
            Err(_) => 0,
        }
    } else {
        0
    };
    if ms > DELAY_MS_MAX {
        return Err(TooLong(value.to_owned().to_string()));
    }
    Ok(Some(ms).filter(|ms| *ms > 0))
}

/// The whole part of a float, 0 for one that is negative or no number.
fn whole(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    {
        value as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Exchange, NOWHERE};
    use super::*;
    use crate::broker::router::RoutingKeys;
    use crate::properties::{Properties, PropertiesEditor};
    use crate::table::Value;

    fn declare(arguments: &[(&str, Value)]) -> Result<Exchange, String> {
        let arguments = arguments.iter().map(|(name, value)| (*name, value.clone())).collect();
        Exchange::declare("x-delayed-message", &arguments).map_err(|error| error.reply_text())
    }

    #[test]
    fn it_routes_as_the_type_that_it_wraps() {
        let mut exchange = declare(&[("x-delayed-type", "topic".into())]).unwrap();
        exchange.bind(1, "a.*");
        assert_eq!(exchange.route("a.b"), [1]);
        assert_eq!(exchange.route("a"), NOWHERE);
        exchange.unbind(1, "a.*");
        assert_eq!(exchange.route("a.b"), NOWHERE);
    }

    #[test]
    fn the_wrapped_type_refuses_bindings_and_arguments() {
        let mut exchange = declare(&[("x-delayed-type", "topic".into())]).unwrap();
        assert!(exchange.bind_with(1, "#.#.#", Table::new()).is_err());
        let both = [("x-delayed-type", "x-consistent-hash".into()), ("hash-property", "app_id".into())];
        assert_eq!(declare(&both).unwrap_err(), "PRECONDITION_FAILED - Unsupported property: app_id");
    }

    #[test]
    fn a_type_that_is_missing_unknown_or_delayed_itself_is_refused() {
        let text = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type";
        assert_eq!(declare(&[]).unwrap_err(), text);
        assert_eq!(declare(&[("x-delayed-type", 5.into())]).unwrap_err(), text);
        assert_eq!(declare(&[("x-delayed-type", "x-delayed-message".into())]).unwrap_err(), text);
        assert_eq!(
            declare(&[("x-delayed-type", "bogus".into())]).unwrap_err(),
            "PRECONDITION_FAILED - unknown exchange type 'bogus'"
        );
    }

    #[test]
    fn the_header_x_delay_is_the_delay() {
        let exchange = declare(&[("x-delayed-type", "direct".into())]).unwrap();
        let rows = [
            (Value::I32(5_000), Some(5_000)),
            (Value::U8(200), Some(200)),
            (Value::I64(5_000_000_000), Some(5_000_000_000)),
            (Value::I64(DELAY_MS_MAX.cast_signed()), Some(DELAY_MS_MAX)),
            (Value::I64(i64::MIN), None),
            (Value::I32(0), None),
            (Value::I32(-5_000), None),
            (Value::F64(1_500.9), Some(1_500)),
            (Value::F64(f64::NAN), None),
            ("300".into(), Some(300)),
            ("5s".into(), None),
            (Value::Bool(true), None),
            (Value::Timestamp(5), None),
        ];
        let keys = RoutingKeys::single(b"");
        for (value, delay) in rows {
            let properties = PropertiesEditor::new().set_header("x-delay", &value).build();
            let publish = RoutedMessage::new(&keys, Properties::new(&properties), 0);
            assert_eq!(exchange.routing.delay_ms(&publish), delay, "{value:?}");
        }
        let publish = RoutedMessage::new(&keys, Properties::NONE, 0);
        assert_eq!(exchange.routing.delay_ms(&publish), None);
        assert_eq!(exchange.routing.check_publish(Properties::NONE), Ok(()));
    }

    #[test]
    fn what_is_longer_than_ten_years_is_refused_and_otherwise_held() {
        let exchange = declare(&[("x-delayed-type", "direct".into())]).unwrap();
        let rows = [
            (Value::I64(1 << 53), "9007199254740992"),
            (Value::I64(i64::MAX), "9223372036854775807"),
            (Value::F64(1e18), "1.0e18"),
            (Value::F64(f64::INFINITY), "inf"),
            ("99999999999999999999".into(), "99999999999999999999"),
        ];
        for (value, text) in rows {
            let properties = PropertiesEditor::new().set_header("x-delay", &value).build();
            let keys = RoutingKeys::single(b"");
            let publish = RoutedMessage::new(&keys, Properties::new(&properties), 0);
            let refused = exchange.routing.check_publish(publish.properties).unwrap_err();
            let text = format!("PRECONDITION_FAILED - invalid x-delay '{text}': {{value_too_large,{text}}}");
            assert_eq!(refused.reply_text(), text);
            assert_eq!(exchange.routing.delay_ms(&publish), Some(DELAY_MS_MAX), "{value:?}");
        }
    }
}
