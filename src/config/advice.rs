//! Settings that are allowed and probably not meant: the start says so.

use super::settings::Settings;
use super::value::Share;
use crate::auth::GUEST;

impl Settings {
    /// What whoever set it so should know, a sentence each.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if matches!(self.memory_high_watermark, Share::Bytes(0) | Share::Permille(0)) {
            advice.push("memory_high_watermark is 0: everybody who publishes is blocked at once".to_owned());
        }
        if self.max_message_size.0 == 0 {
            advice.push("max_message_size is 0: only empty messages are accepted".to_owned());
        }
        let named = self.amqp_listen.iter().filter(|_| !self.no_amqp).chain(&self.amqps_listen);
        let is_usual = self.amqp_listen.is_empty() && !self.no_amqp;
        let is_open = named.into_iter().any(|place| place.is_beyond_loopback()) || (is_usual && self.listen_everywhere);
        let is_confined = !self.guest_from_anywhere && self.loopback_users.iter().any(|name| name == GUEST);
        if is_open && is_confined && self.default_user.as_deref().is_none_or(|user| user == GUEST) {
            advice.push(
                "other machines can connect, and guest may only log in from this one: make another user with default_user \
                 and default_pass, or let guest in with --guest-from-anywhere (loopback_users)"
                    .to_owned(),
            );
        }
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::{Listen, MessageBytes};

    #[test]
    fn what_makes_a_broker_useless_is_said() {
        assert_eq!(Settings::default().advice(), [""; 0]);
        let useless = Settings {
            memory_high_watermark: Share::Permille(0),
            max_message_size: MessageBytes(0),
            ..Settings::default()
        };
        assert_eq!(useless.advice().len(), 2);
        let open = Settings { amqp_listen: vec![Listen::Everywhere(5672)], ..Settings::default() };
        assert!(open.advice()[0].contains("guest may only log in from this one"));
        let container = Settings { listen_everywhere: true, ..Settings::default() };
        assert!(container.advice()[0].contains("guest may only log in from this one"));
        assert_eq!(Settings { guest_from_anywhere: true, ..open.clone() }.advice(), [""; 0]);
        assert_eq!(Settings { default_user: Some("anna".to_owned()), ..open }.advice(), [""; 0]);
    }
}
