//! Finds the id of a request in a line that cannot be parsed: too long, too deep or broken. Reads
//! byte by byte and keeps a few hundred bytes at most.

use rmcp::model::RequestId;

/// The most bytes kept of a name or an id.
const MAX_TOKEN: usize = 256;

/// Scans the members of a JSON object, but not the objects within it.
#[derive(Debug, Default)]
pub(super) struct IdScanner {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// The value of the current member has begun.
    in_value: bool,
    /// The name of the current member, then its value.
    token: Vec<u8>,
    name: Vec<u8>,
    id: Option<RequestId>,
    has_method: bool,
}

impl IdScanner {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.take(*byte));
    }

    /// The id, if the object has one that fits.
    pub(super) fn id(&self) -> Option<RequestId> {
        self.id.clone()
    }

    /// Returns whether the object has a method, so it is a request or a notification.
    pub(super) fn has_method(&self) -> bool {
        self.has_method
    }

    fn take(&mut self, byte: u8) {
        if self.in_text {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                if self.depth == 1 {
                    self.next_member();
                }
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_member();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 && !self.in_value => {
                self.name = std::mem::take(&mut self.token);
                self.in_value = true;
            }
            b',' if self.depth == 1 => self.end_member(),
            _ if byte.is_ascii_whitespace() => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < MAX_TOKEN {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        match self.name.as_slice() {
            b"\"id\"" => {
                self.id = self.id.take().or_else(|| serde_json::from_slice(&self.token).ok())
            }
            b"\"method\"" => self.has_method = true,
            _ => {}
        }
        self.next_member();
    }

    fn next_member(&mut self) {
        self.token.clear();
        self.name.clear();
        self.in_value = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(line: &str) -> Option<RequestId> {
        let mut scanner = IdScanner::default();
        scanner.feed(line.as_bytes());
        scanner.id()
    }

    #[test]
    fn the_objects_own_id_is_found_wherever_it_stands() {
        assert_eq!(id(r#"{"id": 5, "method":"x"}"#), Some(RequestId::Number(5)));
        assert_eq!(
            id(r#"{"method":"x","params":{"id":9,"a":[{"id":1}]},"id":"ab\"c"}"#),
            Some(RequestId::String("ab\"c".into()))
        );
        assert_eq!(id(r#"{"a":"\"id\":3","params":{"id":9}}"#), None);
        assert_eq!(id(r#"{"id":null}"#), None);
        assert_eq!(id(r#"[{"id":1}]"#), None);
    }

    #[test]
    fn a_broken_object_may_still_name_its_id() {
        let deep = format!(r#"{{"id":3,"params":{}"#, "[".repeat(100_000));
        assert_eq!(id(&deep), Some(RequestId::Number(3)));
    }
}
