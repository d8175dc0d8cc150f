//! Texts in windows of 64 bytes: one bit map tells where the quotes and backslashes are, and what
//! stands between them moves 16 bytes at a time. On texts full of quotes, which JSON within JSON is,
//! this halves the time of a search for each quote.

/// Bytes that are looked at together.
pub(super) const WIDTH: usize = 64;
/// A window and room to read 16 bytes from any place in it.
pub(super) const PADDED: usize = WIDTH + 16;
/// Room for a window in which each byte is escaped, and for moving 16 bytes.
const ROOM: usize = 2 * WIDTH + 16;
/// Where a window is put together.
pub(super) type Room = [u8; ROOM];
/// An empty room.
pub(super) const EMPTY: Room = [0; ROOM];

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES * 0x80;
const LOWS: u64 = ONES * 0x7f;

/// The next window of a text.
pub(super) struct Window<'a> {
    bytes: &'a [u8; PADDED],
    /// How many of the bytes are text; [`WIDTH`] if more text follows.
    len: usize,
    /// A bit for each quote and backslash.
    marks: u64,
}

/// What came of unescaping a window.
pub(super) enum Unescaped {
    /// The text goes on after this many bytes; one more than the window has if it ended in an escape.
    Open(usize),
    /// The closing quote is at this place.
    Closed(usize),
    /// An escape that needs more than a table.
    Unusual,
}

impl<'a> Window<'a> {
    /// The window that `text` begins with. `None` if it has a control character or a byte beyond
    /// ASCII. `buffer` holds the end of the text.
    #[inline]
    pub(super) fn of(text: &'a [u8], buffer: &'a mut [u8; PADDED]) -> Option<Self> {
        let (bytes, len) = match text.first_chunk::<PADDED>() {
            Some(bytes) => (bytes, WIDTH),
            None => {
                let len = text.len().min(WIDTH);
                *buffer = [b' '; PADDED];
                let end = text.len().min(PADDED);
                buffer.get_mut(..end)?.copy_from_slice(text.get(..end)?);
                (&*buffer, len)
            }
        };
        let mut marks = 0u64;
        let mut plain = HIGHS;
        let (words, _) = bytes.as_chunks::<8>();
        for (index, word) in words.iter().take(len.div_ceil(8)).enumerate() {
            let word = u64::from_le_bytes(*word);
            // Exact for ASCII: no carry leaves a byte.
            let not_quote = (word ^ (ONES * 0x22)).wrapping_add(LOWS);
            let not_backslash = (word ^ (ONES * 0x5c)).wrapping_add(LOWS);
            plain &= !word & word.wrapping_add(ONES * 0x60);
            let found = !(not_quote & not_backslash) & HIGHS;
            // Gathers the eight high bits in the top byte.
            let bits = (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            marks |= bits << (index * 8);
        }
        if plain & HIGHS != HIGHS {
            return None;
        }
        if len < WIDTH {
            marks &= (1 << len) - 1;
        }
        Some(Self { bytes, len, marks })
    }

    /// How many bytes of the text are in the window.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends the window with a backslash before each quote and backslash.
    #[inline]
    pub(super) fn escape(&self, room: &mut Room, out: &mut Vec<u8>) {
        if self.marks == 0 {
            return out.extend_from_slice(&self.bytes[..self.len.min(WIDTH)]);
        }
        let mut filled = 0;
        let mut from = 0;
        let mut marks = self.marks;
        while marks != 0 {
            let mark = marks.trailing_zeros() as usize;
            marks &= marks - 1;
            self.copy(from, mark, filled, room);
            filled += mark - from;
            room[filled % (ROOM - 16)] = b'\\';
            filled += 1;
            from = mark;
        }
        self.copy(from, self.len, filled, room);
        filled += self.len - from;
        out.extend_from_slice(&room[..filled.min(ROOM)]);
    }

    /// Appends the window's text up to its closing quote, escapes undone by `table`, in which 0 stands
    /// for an escape that it does not know.
    #[inline]
    pub(super) fn unescape(
        &self,
        table: &[u8; 256],
        room: &mut Room,
        out: &mut Vec<u8>,
    ) -> Unescaped {
        let end = self.marks.trailing_zeros() as usize;
        if self.marks == 0 || self.bytes[end % WIDTH] == b'"' {
            out.extend_from_slice(&self.bytes[..end.min(self.len).min(WIDTH)]);
            return match self.marks {
                0 => Unescaped::Open(self.len),
                _ => Unescaped::Closed(end),
            };
        }
        let mut filled = 0;
        let mut from = 0;
        let mut marks = self.marks;
        let end = loop {
            if marks == 0 {
                break Unescaped::Open(from.max(self.len));
            }
            let mark = marks.trailing_zeros() as usize;
            self.copy(from, mark, filled, room);
            filled += mark - from;
            if self.bytes[mark] == b'"' {
                from = self.len;
                break Unescaped::Closed(mark);
            }
            // The window's padding is text too if more follows; else it has no escapes.
            let simple = table[usize::from(self.bytes[mark + 1])];
            if simple == 0 {
                return Unescaped::Unusual;
            }
            room[filled % (ROOM - 16)] = simple;
            filled += 1;
            from = mark + 2;
            marks &= !(3 << mark);
        };
        if from < self.len {
            self.copy(from, self.len, filled, room);
            filled += self.len - from;
        }
        out.extend_from_slice(&room[..filled.min(ROOM)]);
        end
    }

    /// Copies the bytes in `from..to`, and up to 15 more that the next copy overwrites.
    #[inline]
    fn copy(&self, from: usize, to: usize, at: usize, room: &mut Room) {
        let mut from = from;
        let mut at = at;
        loop {
            let source = &self.bytes[from % WIDTH..][..16];
            room[at % (ROOM - 16)..][..16].copy_from_slice(source);
            if to <= from + 16 {
                return;
            }
            from += 16;
            at += 16;
        }
    }
}
