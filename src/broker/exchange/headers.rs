//! `headers`: a binding's arguments are compared with the message's headers; the routing key is ignored.

use std::sync::Arc;

use super::{Binding, Considered, DestinationKind, ExchangeType, Matches, RoutedMessage, Routing, Selection};
use crate::broker::profile::Profile;
use crate::broker::split_map::SplitMap;
use crate::error::AmqpError;
use crate::table::{ErlangText, TableRef, ValueRef, equivalent_in_place};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "headers",
    description: "routes by the message's headers",
    arguments: &[],
    selection: Selection::Each(why),
    create: |_| Ok(Box::new(Headers::default())),
};

/// The first header that decides, by name.
fn why(considered: &Considered<'_>) -> String {
    let arguments = considered.binding.arguments();
    let mode = arguments.get("x-match").and_then(ValueRef::as_str).unwrap_or("all");
    let headers = considered.properties.headers().unwrap_or_default();
    let is_criterion = |name: &[u8]| name != b"x-match" && (mode.ends_with("-with-x") || !name.starts_with(b"x-"));
    let unmet = arguments.iter().filter(|(name, _)| is_criterion(name)).find_map(|(name, wanted)| {
        let text = String::from_utf8_lossy(name).into_owned();
        match headers.get(name) {
            None => Some(format!("there is no header '{text}'")),
            Some(_) if matches!(wanted, ValueRef::Void) => None,
            Some(found) if equivalent_in_place(wanted, found) => None,
            Some(_) => Some(format!("the header '{text}' has another value")),
        }
    });
    match (considered.is_selected, unmet) {
        (true, _) => format!("the headers fulfil x-match {mode}"),
        (false, Some(unmet)) if mode.starts_with("all") => format!("x-match {mode}: {unmet}"),
        (false, _) => format!("x-match {mode}: no header has the value that the binding asks for"),
    }
}

/// How many of its criteria a binding wants to see fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    All,
    Any,
}

/// So many bytes of a binding's arguments, which may be long, take about as long as one comparison.
const BYTES_PER_STEP: usize = 256;

/// The bindings in no order. Each is looked at for each message: no index serves conditions on arbitrary headers.
///
/// One piece of the map is looked at after the other, and others get the lock of the topology in between.
#[derive(Debug, Default)]
struct Headers {
    bindings: SplitMap<Arc<Binding>, Mode>,
}

impl Routing for Headers {
    fn check(&self, binding: &Binding, _: DestinationKind, _: &Profile) -> Result<(), AmqpError> {
        Mode::of(binding.arguments()).map(|_| ())
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        if let Ok(mode) = Mode::of(binding.arguments()) {
            self.bindings.insert(Arc::clone(binding), mode);
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        self.bindings.remove(binding);
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        let mut number = matches.take_place();
        while let Some(piece) = self.bindings.piece(number).filter(|_| !matches.is_exhausted()) {
            if matches.is_step_over() {
                return matches.go_on_at(number);
            }
            for (binding, mode) in piece {
                let arguments = binding.arguments();
                matches.spend(1 + arguments.as_bytes().len() / BYTES_PER_STEP);
                if mode.matches(arguments, publish, matches) {
                    matches.destinations.push(binding.destination());
                }
            }
            number += 1;
        }
    }

    fn routes_by_key_alone(&self) -> bool {
        false
    }
}

/// The argument `x-match`.
#[derive(Clone, Copy, Debug)]
struct Mode {
    wanted: Match,
    /// Whether arguments that begin with `x-` are criteria too.
    with_x: bool,
}

impl Mode {
    fn of(arguments: TableRef<'_>) -> Result<Self, AmqpError> {
        let Some(value) = arguments.get("x-match") else { return Ok(Self { wanted: Match::All, with_x: false }) };
        let Some(text) = value.as_bytes() else {
            return Err(AmqpError::precondition_failed(format!(
                "Invalid x-match field type {} (value {}); expected longstr",
                value.type_name(),
                ErlangText(&value.to_owned())
            )));
        };
        match text {
            b"all" => Ok(Self { wanted: Match::All, with_x: false }),
            b"any" => Ok(Self { wanted: Match::Any, with_x: false }),
            b"all-with-x" => Ok(Self { wanted: Match::All, with_x: true }),
            b"any-with-x" => Ok(Self { wanted: Match::Any, with_x: true }),
            _ => Err(AmqpError::precondition_failed(format!(
                "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
                ErlangText(&value.to_owned())
            ))),
        }
    }

    /// With no criteria, `all` is true and `any` is false, as for every quantifier over nothing.
    fn matches(self, arguments: TableRef<'_>, publish: &RoutedMessage<'_>, matches: &mut Matches) -> bool {
        let is_criterion = |name: &[u8]| name != b"x-match" && (self.with_x || !name.starts_with(b"x-"));
        let mut criteria = arguments.iter().filter(|(name, _)| is_criterion(name));
        let fulfilled = |(name, value): (&[u8], ValueRef<'_>)| {
            matches.spend(1) && publish.header(name).is_some_and(|header| accepts(value, header))
        };
        match self.wanted {
            Match::All => criteria.all(fulfilled),
            Match::Any => criteria.any(fulfilled),
        }
    }
}

/// Whether a header has the value that a binding asks for. Void asks for no more than that the header is there.
fn accepts(wanted: ValueRef<'_>, header: ValueRef<'_>) -> bool {
    if matches!(wanted, ValueRef::Void) {
        return true;
    }
    // Elsewhere a timestamp is a number; here RabbitMQ means it to equal timestamps only.
    let is_timestamp = |tag| tag == b'T';
    is_timestamp(wanted.tag()) == is_timestamp(header.tag()) && equivalent_in_place(wanted, header)
}

#[cfg(test)]
mod tests;
