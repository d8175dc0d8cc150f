//! Objects of known shapes as text of Java maps. In which order a `HashMap` prints its members depends on
//! their names alone, so it is worked out once for each shape; an object then costs its values.

use super::lessons::Lessons;
use super::parser::{Document, Kind, View, narrow};
use super::shapes::Shapes;
use super::template::{Template, TemplateBuilder};
use super::text::Printer;

/// What is known of objects that came before.
#[derive(Debug)]
pub(super) struct Layouts {
    /// For each shape the text, with the places of the values among the object's members.
    shapes: Shapes<Option<Template<u32>>>,
    lessons: Lessons,
}

impl Layouts {
    /// Nothing is known.
    pub(super) fn new() -> Self {
        Self {
            shapes: Shapes::new(),
            lessons: Lessons::new(),
        }
    }

    /// Appends what [`Printer::print`] makes of an object that looks like one before. False, with nothing
    /// appended, if it looks like none, or is no JSON.
    #[inline]
    pub(super) fn print(
        &mut self,
        input: &[u8],
        document: &mut Document,
        printer: &mut Printer,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(shaped) = document.parse_shaped(input, &mut self.shapes) else {
            return false;
        };
        let Some(Some(layout)) = self.shapes.get(shaped.shape) else {
            return false;
        };
        layout.print(out, |place, out| {
            if let Some(node) = shaped.values.get(place as usize) {
                printer.print(shaped.view, *node as usize, out);
            }
        });
        true
    }

    /// Learns from an object that looks like none before, if it is worth it.
    #[inline]
    pub(super) fn learn(&mut self, input: &[u8], document: &mut Document, printer: &mut Printer) {
        if input.first() == Some(&b'{') && self.lessons.is_due() {
            self.add(input, document, printer);
        }
    }

    #[cold]
    fn add(&mut self, input: &[u8], document: &mut Document, printer: &mut Printer) -> Option<()> {
        let (shape, view) = document.learn(input, &mut self.shapes)?;
        let root = view
            .root()
            .filter(|root| view.kind(*root) == Kind::Object)?;
        let layout = layout(view, root, printer);
        *self.shapes.get_mut(shape)? = Some(layout);
        Some(())
    }
}

fn layout(view: View<'_>, object: usize, printer: &mut Printer) -> Template<u32> {
    let places: Vec<usize> = view.entries(object).map(|(_, value)| value).collect();
    let mut builder = TemplateBuilder::new();
    builder.text(b"{");
    let mut first = true;
    printer.for_each_member(view, object, |_, name, value| {
        if !std::mem::replace(&mut first, false) {
            builder.text(b", ");
        }
        let mut text = Vec::new();
        view.append_text(name, &mut text);
        builder.text(&text);
        builder.text(b"=");
        let place = places.iter().position(|place| *place == value);
        builder.value(narrow(place.unwrap_or(usize::MAX)));
    });
    builder.text(b"}");
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(layouts: &mut Layouts, text: &str) -> Option<String> {
        let mut out = b"kept ".to_vec();
        let (mut document, mut printer) = (Document::default(), Printer::default());
        let known = layouts.print(text.as_bytes(), &mut document, &mut printer, &mut out);
        let printed = String::from_utf8(out).unwrap();
        if !known {
            assert_eq!(printed, "kept ");
            layouts.learn(text.as_bytes(), &mut document, &mut printer);
        }
        known.then(|| printed.trim_start_matches("kept ").to_owned())
    }

    #[test]
    fn objects_like_one_before_are_printed_in_the_order_of_a_hash_map() {
        let mut layouts = Layouts::new();
        assert_eq!(printed(&mut layouts, r#"{"b": 1, "a" :2,"b":3}"#), None);
        let known = printed(&mut layouts, r#"{"b": "x", "a" :{"z":1},"b":[null]}"#);
        assert_eq!(known.as_deref(), Some("{a={z=1}, b=[null]}"));
        for other in [
            r#"{"b":1,"a":2,"b":3}"#,
            r#"{"b": 1, "a" :2,"b":3"#,
            r#"{"b": 1, "a" :0x,"b":3}"#,
            "[1]",
            "{}",
        ] {
            assert_eq!(printed(&mut layouts, other), None, "{other}");
        }
        assert_eq!(printed(&mut layouts, "{}").as_deref(), Some("{}"));
        assert_eq!(printed(&mut layouts, "[1]"), None);
    }
}
