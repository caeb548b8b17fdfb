//! Bytes that are read once, from front to back; zeros follow the last one.

/// The bytes that are left.
#[derive(Debug)]
pub(super) struct Tape(std::collections::VecDeque<u8>);

impl Tape {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.0.pop_front().unwrap_or(0)
    }

    /// Reads a number below `below`, which must not be 0.
    pub(super) fn below(&mut self, below: usize) -> usize {
        let wide = u16::from_be_bytes([if below > 256 { self.byte() } else { 0 }, self.byte()]);
        usize::from(wide) % below
    }

    /// Reads a length byte and that many bytes.
    pub(super) fn run(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte()).min(self.0.len());
        self.0.drain(..length).collect()
    }
}
