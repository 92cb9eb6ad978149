//! Server-sent events: the wire format of a stream that can be resumed (HTML standard, section 9.2).

/// A longer line is not one of a log; a server that sends it is not listened to.
const LINE_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The kind of event; `message` where the server names none.
    pub(crate) kind: String,
    /// The lines of data, joined by line breaks.
    pub(crate) data: String,
    /// The last id that was seen, this event's included.
    pub(crate) id: Option<String>,
}

/// A line of the stream was longer than any line may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

/// Reads events from chunks of bytes, however they are cut.
#[derive(Debug, Default)]
pub(crate) struct SseReader {
    open: Vec<u8>,
    kind: String,
    data: Option<String>,
    id: Option<String>,
}

impl SseReader {
    /// Takes a chunk; the events that it completes.
    ///
    /// # Errors
    /// A line is too long.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<SseEvent>, LineTooLong> {
        let mut events = Vec::new();
        for &byte in chunk {
            // A line may end in CR LF: the second half then ends an empty line, which only follows a field when
            // CR alone is an end, and our servers send LF.
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.open);
                    let line =
                        String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
                    events.extend(self.line(&line));
                }
                _ if self.open.len() >= LINE_BYTES_MAX => return Err(LineTooLong),
                _ => self.open.push(byte),
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let data = self.data.take()?;
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            return Some(SseEvent { kind, data, id: self.id.clone() });
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment keeps the connection alive; other fields are for other readers.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nid: 1\nevent: line\ndata: {\"line\":\"a\"}\n\nid: 2\r\nevent: line\r\n\
                          data: b\r\ndata: ü\r\n\r\nevent: end\ndata:x\n\nevent: cut\ndata: lost";

    fn event(kind: &str, data: &str, id: &str) -> SseEvent {
        SseEvent { kind: kind.into(), data: data.into(), id: Some(id.into()) }
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let expected =
            [event("line", "{\"line\":\"a\"}", "1"), event("line", "b\nü", "2"), event("end", "x", "2")];
        for size in 1..STREAM.len() {
            let mut reader = SseReader::default();
            let events: Vec<_> =
                STREAM.as_bytes().chunks(size).flat_map(|chunk| reader.push(chunk).unwrap()).collect();
            assert_eq!(events, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut reader = SseReader::default();
        assert_eq!(reader.push(&vec![b'a'; LINE_BYTES_MAX + 1]), Err(LineTooLong));
    }
}
