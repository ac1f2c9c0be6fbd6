//! Server-sent events, taken out of an answer as it arrives. Pure.

/// Something that the broker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Takes events out of the parts of a body.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of a line.
    rest: Vec<u8>,
    name: String,
    data: Vec<String>,
}

impl Events {
    /// The events that this part completes.
    pub(super) fn feed(&mut self, part: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(part);
        let mut events = Vec::new();
        let bytes = std::mem::take(&mut self.rest);
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // What follows the last line's end is the beginning of another one.
        self.rest = lines.next_back().unwrap_or_default().to_vec();
        for line in lines {
            let line = String::from_utf8_lossy(line);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            events.extend(self.line(line));
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| Event { name, data: data.join("\n") });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            // A comment, or what is not known.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text =
            ": hello\n\nevent: message\ndata: {\"a\":1}\r\n\r\nevent: dropped\ndata: 2\ndata: 3\n\ndata: unfinished";
        let event = |name: &str, data: &str| Event { name: name.to_owned(), data: data.to_owned() };
        let expected = [event("message", "{\"a\":1}"), event("dropped", "2\n3")];
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|part| events.feed(part)).collect();
            assert_eq!(found, expected, "in parts of {size} bytes");
        }
    }
}
