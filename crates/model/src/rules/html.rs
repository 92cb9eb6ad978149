//! A tolerant walk over the tags of an HTML page.
//!
//! It knows just enough of HTML to skip what is not markup: comments, scripts, `<noscript>` and the
//! other elements whose content is text. Any bytes are a page.

/// The tags of a page that are markup, in document order.
pub(super) struct Tags<'h> {
    html: &'h [u8],
    /// Where to read on.
    position: usize,
}

/// A start tag or an end tag.
pub(super) struct Tag<'h> {
    /// Where its `<` stands.
    pub(super) start: usize,
    /// True for `</name>`.
    pub(super) is_end: bool,
    name: &'h [u8],
    attributes: Vec<Attribute<'h>>,
}

/// Name and value, as written.
type Attribute<'h> = (&'h [u8], &'h [u8]);

/// Elements whose content is text up to their own end tag.
const TEXT_ELEMENTS: [&str; 9] =
    ["script", "style", "noscript", "title", "textarea", "iframe", "xmp", "noembed", "noframes"];

impl Tag<'_> {
    /// Whether it is the tag of such an element; the letter case does not matter.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The first attribute of this name, as written.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let (_, value) =
            self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Whether it has no attributes but these.
    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.attributes
            .iter()
            .all(|(known, _)| names.iter().any(|name| known.eq_ignore_ascii_case(name.as_bytes())))
    }
}

impl<'h> Tags<'h> {
    pub(super) fn new(html: &'h [u8]) -> Self {
        Self { html, position: 0 }
    }

    fn rest(&self) -> &'h [u8] {
        &self.html[self.position..]
    }

    /// Goes on at this suffix of the page.
    fn go_on_at(&mut self, rest: &[u8]) {
        self.position = self.html.len() - rest.len();
    }

    /// Goes on behind the next such text, or ends the walk.
    fn skip_behind(&mut self, wanted: &[u8]) {
        self.position =
            find(self.rest(), wanted).map_or(self.html.len(), |at| self.position + at + wanted.len());
    }

    /// Skips a comment from its `!--` on.
    fn skip_comment(&mut self) {
        let comment = &self.rest()["!".len()..];
        let end = comment.windows(3).enumerate().find_map(|(at, bytes)| match bytes {
            // These dashes may be those of the beginning: `<!-->` and `<!--->` are whole comments.
            b"-->" => Some(at + 3),
            b"--!" if at >= 2 && comment.get(at + 3) == Some(&b'>') => Some(at + 4),
            _ => None,
        });
        self.go_on_at(end.map_or(&[], |end| &comment[end..]));
    }

    /// Skips the text of an element like `<script>`, its end tag included.
    fn skip_text(&mut self, name: &[u8]) {
        while self.position < self.html.len() {
            self.skip_behind(b"</");
            let rest = self.rest();
            let ends_here = rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
                && rest.get(name.len()).is_none_or(|next| is_name_end(*next));
            if ends_here {
                self.skip_behind(b">");
                return;
            }
        }
    }

    /// Reads a tag from its name on; `None` if the page ends inside it.
    fn read_tag(&mut self, start: usize, is_end: bool) -> Option<Tag<'h>> {
        let rest = self.rest();
        let name_length = rest.iter().position(|byte| is_name_end(*byte))?;
        let (name, mut rest) = rest.split_at(name_length);
        let mut attributes = Vec::new();
        loop {
            rest = trim_start(rest, |byte| byte.is_ascii_whitespace() || byte == b'/');
            if rest.first()? == &b'>' {
                self.go_on_at(&rest[1..]);
                return Some(Tag { start, is_end, name, attributes });
            }
            let (attribute, behind) = read_attribute(rest)?;
            attributes.push(attribute);
            rest = behind;
        }
    }

    fn end(&mut self) {
        self.position = self.html.len();
    }
}

impl<'h> Iterator for Tags<'h> {
    type Item = Tag<'h>;

    fn next(&mut self) -> Option<Tag<'h>> {
        loop {
            self.skip_behind(b"<");
            let start = self.position.checked_sub(1)?;
            let is_end = match self.rest() {
                [b'!', b'-', b'-', ..] => {
                    self.skip_comment();
                    continue;
                }
                [b'/', first, ..] if first.is_ascii_alphabetic() => true,
                [b'!' | b'?' | b'/', ..] => {
                    self.skip_behind(b">");
                    continue;
                }
                [first, ..] if first.is_ascii_alphabetic() => false,
                [] => return None,
                _ => continue,
            };
            self.position += usize::from(is_end);
            let Some(tag) = self.read_tag(start, is_end) else {
                self.end();
                return None;
            };
            if !is_end && tag.is("plaintext") {
                self.end();
            } else if !is_end && TEXT_ELEMENTS.iter().any(|name| tag.is(name)) {
                self.skip_text(tag.name);
            }
            return Some(tag);
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(html: &str) -> Vec<String> {
        let slashed = |tag: Tag<'_>| {
            let name = String::from_utf8_lossy(tag.name).into_owned();
            assert_eq!(html.as_bytes()[tag.start], b'<');
            if tag.is_end { format!("/{name}") } else { name }
        };
        Tags::new(html.as_bytes()).map(slashed).collect()
    }

    #[test]
    fn only_markup_is_seen() {
        for (html, tags) in [
            ("<a><b/></b ></A>", &["a", "b", "/b", "/A"][..]),
            ("<!doctype html><?xml?></ x><a>", &["a"]),
            ("<!-- <x> --><a>", &["a"]),
            ("<!--><a>", &["a"]),
            ("<!---><a>", &["a"]),
            ("<!-- <x> --!><a>", &["a"]),
            ("<!-- --! --><a> --!> <b>", &["a", "b"]),
            ("<!--!><x>--><a>", &["a"]),
            ("<!---!><x>--><a>", &["a"]),
            ("<!----!><a>", &["a"]),
            ("<!-- <a>", &[]),
            ("<script><x></scripty></script x='>'><a>", &["script", "a"]),
            ("<TITLE><x></title/><a>", &["TITLE", "a"]),
            ("<style><x>", &["style"]),
            ("<a title='<x>' alt=\"<x>\" =<x y>", &["a"]),
            ("</a title='>'><b>", &["/a", "b"]),
            ("<plaintext></plaintext><x>", &["plaintext"]),
            ("< a><1><\u{e9}><a>", &["a"]),
            ("<a", &[]),
            ("<a b='", &[]),
            ("</", &[]),
            ("<", &[]),
            ("", &[]),
        ] {
            assert_eq!(walk(html), tags, "{html}");
        }
    }
}
