//! Values and the text around them, which is the same for many records.

use super::parser::narrow;

/// Bytes after the texts, so that short ones can be copied 16 bytes at a time.
const PADDING: usize = 16;

/// A text with places for values of which `V` says where they come from.
#[derive(Debug)]
pub(crate) struct Template<V> {
    pieces: Vec<Piece<V>>,
    /// Texts one after the other; [`PADDING`] follows them.
    texts: Vec<u8>,
    /// Where the text after the last value begins, and its length.
    tail: (u32, u32),
}

/// A value and the text before it.
#[derive(Debug, Clone, Copy)]
struct Piece<V> {
    start: u32,
    len: u32,
    value: V,
}

/// A [`Template`] while it is put together, from its beginning to its end.
#[derive(Debug)]
pub(crate) struct TemplateBuilder<V> {
    pieces: Vec<Piece<V>>,
    texts: Vec<u8>,
    /// Where the text after the last value begins.
    from: usize,
}

impl<V> TemplateBuilder<V> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            pieces: Vec::new(),
            texts: Vec::new(),
            from: 0,
        }
    }

    /// Goes on with a text.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.texts.extend_from_slice(text);
    }

    /// Goes on with a value.
    pub(crate) fn value(&mut self, value: V) {
        self.pieces.push(Piece {
            start: narrow(self.from),
            len: narrow(self.texts.len() - self.from),
            value,
        });
        self.from = self.texts.len();
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> Template<V> {
        let tail = (narrow(self.from), narrow(self.texts.len() - self.from));
        self.texts.resize(self.texts.len() + PADDING, b' ');
        Template {
            pieces: self.pieces,
            texts: self.texts,
            tail,
        }
    }
}

impl<V: Copy> Template<V> {
    /// The values, in their order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.pieces.iter_mut().map(|piece| &mut piece.value)
    }

    /// Appends the text; `value` appends each value.
    #[inline]
    pub(crate) fn print(&self, out: &mut Vec<u8>, mut value: impl FnMut(V, &mut Vec<u8>)) {
        for piece in &self.pieces {
            self.append_text(piece.start, piece.len, out);
            value(piece.value, out);
        }
        self.append_text(self.tail.0, self.tail.1, out);
    }

    /// Short texts move 16 bytes at a time: a call of `memcpy` costs more than they do.
    #[inline]
    fn append_text(&self, start: u32, len: u32, out: &mut Vec<u8>) {
        let rest = self.texts.get(start as usize..).unwrap_or_default();
        let len = len as usize;
        match rest.first_chunk::<PADDING>() {
            Some(chunk) if len <= PADDING => {
                out.extend_from_slice(chunk);
                out.truncate(out.len() - PADDING + len);
            }
            _ => out.extend_from_slice(rest.get(..len).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_stand_around_the_values() {
        for len in 0..40 {
            let text = "x".repeat(len);
            let mut builder = TemplateBuilder::new();
            builder.text(text.as_bytes());
            builder.value(1);
            builder.value(2);
            builder.text(b"-");
            builder.text(text.as_bytes());
            let mut template = builder.finish();
            for value in template.values_mut() {
                *value += 5;
            }
            let mut out = b"before ".to_vec();
            template.print(&mut out, |value: i32, out| {
                out.extend_from_slice(value.to_string().as_bytes());
            });
            assert_eq!(out, format!("before {text}67-{text}").into_bytes());
        }
    }
}
