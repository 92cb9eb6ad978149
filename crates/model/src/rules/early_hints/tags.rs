//! A tolerant walk over the start tags of an HTML page.

/// The start tags of a page that are markup, in document order.
pub(super) struct Tags<'h> {
    rest: &'h [u8],
}

/// A start tag with its attributes.
pub(super) struct Tag<'h> {
    name: &'h [u8],
    attributes: Vec<(&'h [u8], &'h [u8])>,
}

/// Elements whose content is text up to their own end tag.
const TEXT_ELEMENTS: [&str; 9] =
    ["script", "style", "noscript", "title", "textarea", "iframe", "xmp", "noembed", "noframes"];

impl Tag<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The first attribute of this name, as written.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let (_, value) =
            self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.attributes
            .iter()
            .all(|(known, _)| names.iter().any(|name| known.eq_ignore_ascii_case(name.as_bytes())))
    }
}

impl<'h> Tags<'h> {
    pub(super) fn new(html: &'h [u8]) -> Self {
        Self { rest: html }
    }

    fn skip_comment(&mut self) {
        // `<!-->` and `<!--->` are whole comments.
        let body = &self.rest[2..];
        self.rest = find(body, b"-->").map_or(&[], |at| &body[at + 3..]);
    }

    fn skip_to(&mut self, byte: u8) {
        self.rest = self.rest.iter().position(|found| *found == byte).map_or(&[], |at| &self.rest[at + 1..]);
    }

    /// Skips the text of an element like `<script>`, up to its end tag.
    fn skip_text(&mut self, name: &[u8]) {
        while let Some(at) = find(self.rest, b"</") {
            self.rest = &self.rest[at + 2..];
            let ends_here = self.rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
                && self.rest.get(name.len()).is_none_or(|next| is_name_end(*next));
            if ends_here {
                self.skip_to(b'>');
                return;
            }
        }
        self.rest = &[];
    }

    /// Reads a start tag behind its `<`; `None` if the page ends inside it.
    fn read_tag(&mut self) -> Option<Tag<'h>> {
        let name_length = self.rest.iter().position(|byte| is_name_end(*byte))?;
        let (name, mut rest) = self.rest.split_at(name_length);
        let mut attributes = Vec::new();
        loop {
            rest = trim_start(rest, |byte| byte.is_ascii_whitespace() || byte == b'/');
            match rest.first()? {
                b'>' => {
                    self.rest = &rest[1..];
                    return Some(Tag { name, attributes });
                }
                _ => {
                    let (attribute, behind) = read_attribute(rest)?;
                    attributes.push(attribute);
                    rest = behind;
                }
            }
        }
    }
}

impl<'h> Iterator for Tags<'h> {
    type Item = Tag<'h>;

    fn next(&mut self) -> Option<Tag<'h>> {
        loop {
            let at = self.rest.iter().position(|byte| *byte == b'<')?;
            self.rest = &self.rest[at + 1..];
            match self.rest.first()? {
                b'!' if self.rest.starts_with(b"!--") => self.skip_comment(),
                b'!' | b'?' | b'/' => self.skip_to(b'>'),
                first if first.is_ascii_alphabetic() => {
                    let Some(tag) = self.read_tag() else {
                        self.rest = &[];
                        return None;
                    };
                    if TEXT_ELEMENTS.iter().any(|name| tag.is(name)) {
                        self.skip_text(tag.name);
                    }
                    return Some(tag);
                }
                _ => {}
            }
        }
    }
}

type Attribute<'h> = (&'h [u8], &'h [u8]);

fn read_attribute(text: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    // A `=` in first place belongs to the name, says the tokeniser of HTML.
    let name_length = 1 + text[1..].iter().position(|byte| is_name_end(*byte) || *byte == b'=')?;
    let (name, rest) = text.split_at(name_length);
    let after_blanks = trim_start(rest, |byte| byte.is_ascii_whitespace());
    let Some(value) = after_blanks.strip_prefix(b"=") else { return Some(((name, b""), rest)) };
    let value = trim_start(value, |byte| byte.is_ascii_whitespace());
    match value.first()? {
        quote @ (b'"' | b'\'') => {
            let value = &value[1..];
            let end = value.iter().position(|byte| byte == quote)?;
            Some(((name, &value[..end]), &value[end + 1..]))
        }
        _ => {
            let end = value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>')?;
            Some(((name, &value[..end]), &value[end..]))
        }
    }
}

fn is_name_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'/' || byte == b'>'
}

fn trim_start(text: &[u8], skip: impl Fn(u8) -> bool) -> &[u8] {
    let kept = text.iter().position(|byte| !skip(*byte)).unwrap_or(text.len());
    &text[kept..]
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
