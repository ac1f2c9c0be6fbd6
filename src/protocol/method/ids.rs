//! The methods that are named one by one, each once.

use crate::error::MethodId;

macro_rules! method_ids {
    ($($name:ident = ($class:literal, $method:literal), $text:literal;)*) => {
        $(
            #[doc = $text]
            pub(crate) const $name: MethodId = MethodId::new($class, $method);
        )*
    };
}

method_ids! {
    CONNECTION_OPEN = (10, 40), "`connection.open`";
    CHANNEL_OPEN = (20, 10), "`channel.open`";
    CHANNEL_CLOSE = (20, 40), "`channel.close`";
    CHANNEL_CLOSE_OK = (20, 41), "`channel.close-ok`";
    BASIC_PUBLISH = (60, 40), "`basic.publish`";
    BASIC_RETURN = (60, 50), "`basic.return`";
    BASIC_DELIVER = (60, 60), "`basic.deliver`";
    BASIC_GET_OK = (60, 71), "`basic.get-ok`";
    BASIC_ACK = (60, 80), "`basic.ack`";
    BASIC_REJECT = (60, 90), "`basic.reject`";
    BASIC_NACK = (60, 120), "`basic.nack`";
}
