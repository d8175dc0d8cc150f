//! The format of a slot file: header, extents, slots; recovery and commit. One owner, blocking calls.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use memmap2::MmapMut;

use super::SlotError;
use super::mmap_file::LockedFile;

/// Most bytes of a key and its value together.
pub const PAYLOAD_MAX: usize = 1 << 20;

const PAGE: usize = 4096;
const PAGE_BYTES: u32 = 4096;
const FILE_MAGIC: &[u8; 8] = b"RINGSLOT";
const VERSION: u32 = 1;
const HEADER_PAGES: u32 = 2;
const EXTENTS_AT: usize = 48;
const EXTENT_BYTES: usize = 12;
const EXTENTS_MAX: usize = (PAGE - 4 - EXTENTS_AT) / EXTENT_BYTES;

const SLOT_MAGIC: u32 = 0x544F_4C53;
const SLOT_HEADER: usize = 24;
/// Value length of a slot that holds nothing.
const FREE: u32 = u32::MAX;
/// Bytes per slot. The smallest is a disk sector, so that a torn one harms no neighbour.
const CLASSES: [u32; 7] = [
    512,
    2 << 10,
    8 << 10,
    32 << 10,
    128 << 10,
    512 << 10,
    (1 << 20) + 4096,
];
/// An extent holds twice as many slots as the one before of its class, up to this many bytes per copy.
const HALF_MAX: u32 = 16 << 20;

/// A run of slots of one size: all first copies, then all second copies.
#[derive(Debug, Clone, Copy)]
struct Extent {
    slot_bytes: u32,
    start_page: u32,
    slots: u32,
}

impl Extent {
    /// Pages of one half; `None` when the fields make no sense.
    fn half_pages(&self) -> Option<u32> {
        Some(
            self.slot_bytes
                .checked_mul(self.slots)?
                .div_ceil(PAGE_BYTES),
        )
    }

    fn position(&self, slot: u32, copy: u8) -> usize {
        let half = self.half_pages().unwrap_or(0) as usize * PAGE;
        self.start_page as usize * PAGE
            + half * usize::from(copy)
            + slot as usize * self.slot_bytes as usize
    }
}

#[derive(Debug, Clone)]
struct Header {
    uuid: [u8; 16],
    generation: u64,
    pages: u32,
    extents: Vec<Extent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SlotId {
    extent: usize,
    slot: u32,
}

/// What is known of a slot's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// Neither was ever durably written.
    Blank,
    /// This one is the durable one; the next write goes to the other.
    Durable(u8),
    /// The first is durable and the second was never written: it must get the same content, so that
    /// "damaged and blank" can only be a first write that was never acknowledged.
    FirstOnly,
}

struct Slot<'a> {
    seq: u64,
    key: &'a [u8],
    /// `None` = the slot is free.
    value: Option<&'a [u8]>,
}

enum Parsed<'a> {
    Blank,
    Bad,
    Good(Slot<'a>),
}

/// An entry: key and value.
pub type Entry = (Arc<[u8]>, Arc<[u8]>);
/// A change: key and new value, `None` removes.
pub(super) type Change = (Arc<[u8]>, Option<Arc<[u8]>>);
/// What a slot says: sequence number, key and value.
type Live = (u64, Arc<[u8]>, Arc<[u8]>);
/// Where a key was found: sequence number, slot and value.
type Found = (u64, SlotId, Arc<[u8]>);

/// An open slot file.
#[derive(Debug)]
pub(super) struct SlotFile {
    locked: LockedFile,
    map: MmapMut,
    header: Header,
    header_copy: u8,
    next_seq: u64,
    index: HashMap<Arc<[u8]>, SlotId>,
    copies: Vec<Vec<Copies>>,
    /// Free slots of each class.
    free: [Vec<SlotId>; CLASSES.len()],
    /// Slots whose entry has moved and that still say otherwise on disk.
    stale: Vec<SlotId>,
    /// Slots taken by a commit that failed: the file may hold the entry, so that the key keeps the slot.
    reserved: HashMap<Arc<[u8]>, SlotId>,
}

/// A change that a commit makes to one slot.
struct Write {
    id: SlotId,
    copy: u8,
    seq: u64,
    /// Index of the entry; `None` frees the slot.
    entry: Option<usize>,
}

impl SlotFile {
    /// Opens what is in `locked`, or initialises it when it is empty. Gives the entries in the order
    /// they were written.
    pub(super) fn open(locked: LockedFile) -> Result<(Self, Vec<Entry>), SlotError> {
        if locked.is_empty()? || never_finished(&locked)? {
            initialise(&locked)?;
        }
        let (header, header_copy, both) = read_header(&locked)?;
        let len = u64::from(header.pages) * PAGE as u64;
        let found = locked.len()?;
        if found < len {
            return Err(SlotError::Truncated {
                path: locked.path().to_owned(),
                found,
                expected: len,
            });
        }
        // A copy made by a tool may have holes.
        locked.allocate(len)?;
        let map = locked.map(len)?;
        let mut file = Self {
            locked,
            map,
            copies: Vec::new(),
            header,
            header_copy,
            next_seq: 1,
            index: HashMap::new(),
            free: Default::default(),
            stale: Vec::new(),
            reserved: HashMap::new(),
        };
        let entries = file.recover()?;
        if !both {
            let header = file.header.clone();
            file.write_header(&header, 1 - header_copy)?;
        }
        Ok((file, entries))
    }

    fn path(&self) -> &Path {
        self.locked.path()
    }

    pub(super) fn rename(&mut self, path: &Path) -> Result<(), SlotError> {
        self.locked.rename(path)
    }

    /// Reads every slot.
    fn recover(&mut self) -> Result<Vec<Entry>, SlotError> {
        let mut found: HashMap<Arc<[u8]>, Found> = HashMap::new();
        for (extent, layout) in self.header.extents.clone().into_iter().enumerate() {
            self.copies.push(Vec::with_capacity(layout.slots as usize));
            for slot in 0..layout.slots {
                let id = SlotId { extent, slot };
                let (copies, live) = self.recover_slot(id, layout)?;
                self.copies[extent].push(copies);
                let Some((seq, key, value)) = live else {
                    self.give_free(id);
                    continue;
                };
                // The same key in two slots: a crash came between a move and its clean-up.
                match found.get(&key) {
                    Some((newer, ..)) if *newer > seq => self.stale.push(id),
                    Some((_, older, _)) => {
                        self.stale.push(*older);
                        found.insert(key, (seq, id, value));
                    }
                    None => {
                        found.insert(key, (seq, id, value));
                    }
                }
            }
        }
        let mut ordered: Vec<_> = found.into_iter().collect();
        ordered.sort_by_key(|(_, (seq, ..))| *seq);
        let mut entries = Vec::with_capacity(ordered.len());
        for (key, (_, id, value)) in ordered {
            self.index.insert(Arc::clone(&key), id);
            entries.push((key, value));
        }
        Ok(entries)
    }

    fn recover_slot(
        &mut self,
        id: SlotId,
        layout: Extent,
    ) -> Result<(Copies, Option<Live>), SlotError> {
        let positions = [layout.position(id.slot, 0), layout.position(id.slot, 1)];
        let parsed = positions.map(|at| parse_slot(&self.map, at, layout.slot_bytes as usize));
        let (copies, slot) = match parsed {
            [Parsed::Blank, Parsed::Blank] => return Ok((Copies::Blank, None)),
            [Parsed::Bad, Parsed::Blank] | [Parsed::Blank, Parsed::Bad] => {
                tracing::warn!(path = %self.path().display(), position = positions[0],
                    "a write that never finished was found in the offset file and is ignored");
                return Ok((Copies::Blank, None));
            }
            [Parsed::Bad, Parsed::Bad] => {
                return Err(SlotError::Corrupt {
                    path: self.path().to_owned(),
                    position: positions[0] as u64,
                    reason: format!(
                        "both copies of a slot have wrong checksums (the second is at byte {})",
                        positions[1]
                    ),
                });
            }
            [Parsed::Good(slot), Parsed::Blank] => (Copies::FirstOnly, slot),
            [Parsed::Good(slot), Parsed::Bad] => {
                self.warn_damaged(positions[1]);
                (Copies::Durable(0), slot)
            }
            [Parsed::Bad, Parsed::Good(slot)] => {
                self.warn_damaged(positions[0]);
                (Copies::Durable(1), slot)
            }
            [Parsed::Blank, Parsed::Good(slot)] => (Copies::Durable(1), slot),
            [Parsed::Good(first), Parsed::Good(second)] if second.seq > first.seq => {
                (Copies::Durable(1), second)
            }
            [Parsed::Good(first), Parsed::Good(_)] => (Copies::Durable(0), first),
        };
        let seq = slot.seq;
        let live = slot
            .value
            .map(|value| (seq, Arc::from(slot.key), Arc::from(value)));
        self.next_seq = self.next_seq.max(seq.saturating_add(1));
        Ok((copies, live))
    }

    fn warn_damaged(&self, position: usize) {
        tracing::warn!(path = %self.path().display(), position,
            "a copy of a slot in the offset file is damaged, its other copy is used");
    }

    /// Writes entries (`None` removes) and returns when they are durable. When it fails, the file still
    /// says what it said before, and the same call may be repeated.
    pub(super) fn commit(&mut self, entries: &[Change]) -> Result<(), SlotError> {
        let expected = self.map.len() as u64;
        let found = self.locked.len()?;
        if found < expected {
            return Err(SlotError::Truncated {
                path: self.path().to_owned(),
                found,
                expected,
            });
        }
        let mut taken = Vec::new();
        let planned = self.plan(entries, &mut taken);
        let result = planned.and_then(|(writes, stale)| {
            self.write_and_sync(entries, &writes)?;
            Ok((writes, stale))
        });
        let (writes, stale) = match result {
            Ok(done) => done,
            Err(error) => {
                self.reserved.extend(taken);
                return Err(error);
            }
        };
        self.applied(entries, &writes, stale);
        self.clean_up()
    }

    /// Chooses slots, growing the file as needed. Gives the writes and the slots that entries leave.
    fn plan(
        &mut self,
        entries: &[Change],
        taken: &mut Vec<(Arc<[u8]>, SlotId)>,
    ) -> Result<(Vec<Write>, Vec<SlotId>), SlotError> {
        let mut writes = Vec::with_capacity(entries.len());
        let mut left = Vec::new();
        for (at, (key, value)) in entries.iter().enumerate() {
            let seq = self.next_seq;
            self.next_seq += 1;
            let current = self.index.get(key).copied();
            let reserved = self.reserved.remove(key);
            let Some(value) = value else {
                self.stale.extend(reserved);
                if let Some(id) = current {
                    writes.push(self.write(id, seq, None));
                }
                continue;
            };
            let size = SLOT_HEADER + key.len() + value.len();
            let fits = |id: &SlotId| size <= self.header.extents[id.extent].slot_bytes as usize;
            let id = match (reserved.filter(fits), current.filter(fits)) {
                (Some(id), _) | (None, Some(id)) => id,
                (None, None) => self.take_free(size)?,
            };
            if current != Some(id) {
                taken.push((Arc::clone(key), id));
                left.extend(current);
            }
            self.stale
                .extend(reserved.filter(|reserved| *reserved != id));
            writes.push(self.write(id, seq, Some(at)));
        }
        Ok((writes, left))
    }

    fn write(&self, id: SlotId, seq: u64, entry: Option<usize>) -> Write {
        let copy = match self.copies[id.extent][id.slot as usize] {
            Copies::Blank => 0,
            Copies::FirstOnly => 1,
            Copies::Durable(copy) => 1 - copy,
        };
        Write {
            id,
            copy,
            seq,
            entry,
        }
    }

    fn write_and_sync(&mut self, entries: &[Change], writes: &[Write]) -> Result<(), SlotError> {
        let mut ranges = Vec::with_capacity(writes.len());
        for write in writes {
            let at = self.header.extents[write.id.extent].position(write.id.slot, write.copy);
            let content = write.entry.and_then(|entry| {
                let (key, value) = entries.get(entry)?;
                Some((key.as_ref(), value.as_deref()?))
            });
            let len = write_slot(&mut self.map, at, write.seq, content);
            ranges.push((at, len));
        }
        self.sync(ranges)
    }

    /// Brings ranges to disk, neighbouring pages together.
    fn sync(&self, mut ranges: Vec<(usize, usize)>) -> Result<(), SlotError> {
        ranges.sort_unstable();
        let mut open: Option<(usize, usize)> = None;
        let flush = |from: usize, to: usize| {
            self.map
                .flush_range(from, to - from)
                .map_err(|error| SlotError::io(self.path(), "can't sync it", error))
        };
        for (at, len) in ranges {
            let (from, to) = (at / PAGE * PAGE, (at + len).div_ceil(PAGE) * PAGE);
            open = match open {
                Some((start, end)) if from <= end => Some((start, end.max(to))),
                Some((start, end)) => {
                    flush(start, end)?;
                    Some((from, to))
                }
                None => Some((from, to)),
            };
        }
        open.map_or(Ok(()), |(start, end)| flush(start, end))
    }

    /// Takes note of writes that are durable.
    fn applied(&mut self, entries: &[Change], writes: &[Write], left: Vec<SlotId>) {
        for write in writes {
            let copies = &mut self.copies[write.id.extent][write.id.slot as usize];
            *copies = match *copies {
                Copies::Blank => Copies::FirstOnly,
                Copies::FirstOnly | Copies::Durable(_) => Copies::Durable(write.copy),
            };
            if let Some(entry) = write.entry {
                self.index.insert(Arc::clone(&entries[entry].0), write.id);
            }
        }
        for (key, value) in entries {
            if value.is_none()
                && let Some(id) = self.index.remove(key)
            {
                self.give_free(id);
            }
        }
        self.stale.extend(left);
    }

    /// Second copies of first writes, and the slots that entries have left.
    fn clean_up(&mut self) -> Result<(), SlotError> {
        let mut ranges = Vec::new();
        let mut doubled = Vec::new();
        for (extent, copies) in self.copies.iter().enumerate() {
            let layout = self.header.extents[extent];
            let slots = (0..layout.slots).zip(copies);
            for (slot, _) in slots.filter(|(_, copies)| **copies == Copies::FirstOnly) {
                let (first, second) = (layout.position(slot, 0), layout.position(slot, 1));
                let len = layout.slot_bytes as usize;
                self.map.copy_within(first..first + len, second);
                ranges.push((second, len));
                doubled.push(SlotId { extent, slot });
            }
        }
        let mut freed = Vec::new();
        for id in std::mem::take(&mut self.stale) {
            if doubled.contains(&id) {
                // Freed by the next commit.
                self.stale.push(id);
                continue;
            }
            let write = self.write(id, self.next_seq, None);
            self.next_seq += 1;
            let at = self.header.extents[id.extent].position(id.slot, write.copy);
            ranges.push((at, write_slot(&mut self.map, at, write.seq, None)));
            freed.push(write);
        }
        if let Err(error) = self.sync(ranges) {
            self.stale.extend(freed.iter().map(|write| write.id));
            return Err(error);
        }
        for id in doubled {
            self.copies[id.extent][id.slot as usize] = Copies::Durable(0);
        }
        for write in freed {
            self.copies[write.id.extent][write.id.slot as usize] = Copies::Durable(write.copy);
            self.give_free(write.id);
        }
        Ok(())
    }

    fn class_of(&self, id: SlotId) -> usize {
        let bytes = self.header.extents[id.extent].slot_bytes;
        CLASSES
            .iter()
            .position(|class| *class == bytes)
            .unwrap_or(0)
    }

    fn give_free(&mut self, id: SlotId) {
        self.free[self.class_of(id)].push(id);
    }

    fn take_free(&mut self, size: usize) -> Result<SlotId, SlotError> {
        let class = CLASSES.iter().position(|class| *class as usize >= size);
        let class = class.ok_or_else(|| SlotError::TooLarge {
            path: self.path().to_owned(),
            size: size - SLOT_HEADER,
            max: PAYLOAD_MAX,
        })?;
        if self.free[class].is_empty() {
            self.add_extent(class)?;
        }
        self.free[class].pop().ok_or_else(|| SlotError::TooMany {
            path: self.path().to_owned(),
        })
    }

    /// Grows the file: blocks first, then the mapping, then the header that tells of them.
    fn add_extent(&mut self, class: usize) -> Result<(), SlotError> {
        let slot_bytes = CLASSES[class];
        let of_class = self.header.extents.iter();
        let before = of_class
            .filter(|extent| extent.slot_bytes == slot_bytes)
            .map(|extent| extent.slots)
            .max();
        let least = (PAGE_BYTES / slot_bytes).max(1);
        let most = (HALF_MAX / slot_bytes).max(1);
        let extent = Extent {
            slot_bytes,
            start_page: self.header.pages,
            slots: before.map_or(least, |slots| slots.saturating_mul(2).min(most)),
        };
        let pages = extent.half_pages().and_then(|half| half.checked_mul(2));
        let pages = pages.and_then(|pages| self.header.pages.checked_add(pages));
        let Some(pages) = pages.filter(|_| self.header.extents.len() < EXTENTS_MAX) else {
            return Err(SlotError::TooMany {
                path: self.path().to_owned(),
            });
        };
        let len = u64::from(pages) * PAGE as u64;
        self.locked.allocate(len)?;
        self.map = self.locked.map(len)?;
        // Left over from a growth that a crash cut short: it never became part of the file.
        let start = extent.start_page as usize * PAGE;
        if self.map[start..].iter().any(|byte| *byte != 0) {
            self.map[start..].fill(0);
        }
        let mut header = self.header.clone();
        header.generation += 1;
        header.pages = pages;
        header.extents.push(extent);
        self.sync(vec![(start, self.map.len() - start)])?;
        // Both copies must know of the extent before anything is in it.
        for copy in [1 - self.header_copy, self.header_copy] {
            self.write_header(&header, copy)?;
        }
        self.header_copy = 1 - self.header_copy;
        self.header = header;
        let extent_index = self.copies.len();
        self.copies.push(vec![Copies::Blank; extent.slots as usize]);
        for slot in (0..extent.slots).rev() {
            self.free[class].push(SlotId {
                extent: extent_index,
                slot,
            });
        }
        Ok(())
    }
}

impl SlotFile {
    fn write_header(&mut self, header: &Header, copy: u8) -> Result<(), SlotError> {
        let at = usize::from(copy) * PAGE;
        self.map[at..at + PAGE].copy_from_slice(&header.encode());
        self.sync(vec![(at, PAGE)])
    }
}

impl Header {
    fn encode(&self) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[..8].copy_from_slice(FILE_MAGIC);
        page[8..12].copy_from_slice(&VERSION.to_le_bytes());
        page[12..16].copy_from_slice(&(PAGE_BYTES).to_le_bytes());
        page[16..32].copy_from_slice(&self.uuid);
        page[32..40].copy_from_slice(&self.generation.to_le_bytes());
        page[40..44].copy_from_slice(&self.pages.to_le_bytes());
        let count = u32::try_from(self.extents.len()).unwrap_or(u32::MAX);
        page[44..48].copy_from_slice(&count.to_le_bytes());
        for (index, extent) in self.extents.iter().enumerate() {
            let at = EXTENTS_AT + index * EXTENT_BYTES;
            page[at..at + 4].copy_from_slice(&extent.slot_bytes.to_le_bytes());
            page[at + 4..at + 8].copy_from_slice(&extent.start_page.to_le_bytes());
            page[at + 8..at + 12].copy_from_slice(&extent.slots.to_le_bytes());
        }
        let crc = crc32c::crc32c(&page[..PAGE - 4]);
        page[PAGE - 4..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// `None` when the page is no intact header of this version.
    fn decode(page: &[u8]) -> Option<Self> {
        let crc = u32_at(page, PAGE - 4)?;
        if page.get(..8)? != FILE_MAGIC
            || u32_at(page, 8)? != VERSION
            || u32_at(page, 12)? != PAGE_BYTES
            || crc32c::crc32c(page.get(..PAGE - 4)?) != crc
        {
            return None;
        }
        let pages = u32_at(page, 40)?;
        let count = u32_at(page, 44)? as usize;
        let mut extents = Vec::with_capacity(count.min(EXTENTS_MAX));
        for index in 0..count {
            let at = EXTENTS_AT + index * EXTENT_BYTES;
            let extent = Extent {
                slot_bytes: u32_at(page, at)?,
                start_page: u32_at(page, at + 4)?,
                slots: u32_at(page, at + 8)?,
            };
            let end = extent.half_pages()?.checked_mul(2)?;
            let end = end.checked_add(extent.start_page)?;
            if !CLASSES.contains(&extent.slot_bytes) || end > pages {
                return None;
            }
            extents.push(extent);
        }
        Some(Self {
            uuid: page.get(16..32)?.try_into().ok()?,
            generation: u64::from_le_bytes(page.get(32..40)?.try_into().ok()?),
            pages,
            extents,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn initialise(locked: &LockedFile) -> Result<(), SlotError> {
    let len = u64::from(HEADER_PAGES) * PAGE as u64;
    locked.allocate(len)?;
    let mut map = locked.map(len)?;
    let header = Header {
        uuid: fastrand::u128(..).to_le_bytes(),
        generation: 1,
        pages: HEADER_PAGES,
        extents: Vec::new(),
    };
    for copy in 0..HEADER_PAGES as usize {
        let at = copy * PAGE;
        map[at..at + PAGE].copy_from_slice(&header.encode());
        map.flush_range(at, PAGE)
            .map_err(|error| SlotError::io(locked.path(), "can't sync it", error))?;
    }
    super::sync_parent(locked.path())
}

/// Whether a crash interrupted [`initialise`]: the second header was never written and nothing else
/// was.
fn never_finished(locked: &LockedFile) -> Result<bool, SlotError> {
    let len = HEADER_PAGES as usize * PAGE;
    if locked.len()? != len as u64 {
        return Ok(false);
    }
    let bytes = locked.read_head(len)?;
    let (first, second) = bytes.split_at(PAGE);
    let blank = |page: &[u8]| page.iter().all(|byte| *byte == 0);
    let ours = blank(first) || first.starts_with(FILE_MAGIC);
    Ok(blank(second) && ours && Header::decode(first).is_none())
}

/// The header, which copy it is, and whether the other copy says the same.
fn read_header(locked: &LockedFile) -> Result<(Header, u8, bool), SlotError> {
    let bytes = locked.read_head(HEADER_PAGES as usize * PAGE)?;
    let page = |copy: usize| bytes.get(copy * PAGE..).unwrap_or_default();
    let path = locked.path();
    match [Header::decode(page(0)), Header::decode(page(1))] {
        [Some(first), Some(second)] if second.generation > first.generation => {
            Ok((second, 1, false))
        }
        [Some(first), Some(second)] => {
            let same = first.generation == second.generation;
            Ok((first, 0, same))
        }
        [Some(header), None] | [None, Some(header)] => {
            let copy = u8::from(Header::decode(page(0)).is_none());
            tracing::warn!(path = %path.display(), position = usize::from(1 - copy) * PAGE,
                "a copy of the offset file's header is damaged, the other is used");
            Ok((header, copy, false))
        }
        [None, None] => Err(header_error(path, &bytes)),
    }
}

fn header_error(path: &Path, bytes: &[u8]) -> SlotError {
    let path = path.to_owned();
    let copies = [bytes, bytes.get(PAGE..).unwrap_or_default()];
    let mut ours = copies.iter().filter(|copy| copy.starts_with(FILE_MAGIC));
    let Some(copy) = ours.next() else {
        let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
        return SlotError::NotASlotFile {
            path,
            head: head.join(" "),
        };
    };
    match u32_at(copy, 8) {
        Some(found) if found > VERSION && bytes.len() >= 2 * PAGE => SlotError::NewerVersion {
            path,
            found,
            known: VERSION,
        },
        _ if bytes.len() < 2 * PAGE => SlotError::Truncated {
            path,
            found: bytes.len() as u64,
            expected: 2 * PAGE as u64,
        },
        _ => SlotError::Corrupt {
            path,
            position: 0,
            reason: "both copies of the header are damaged".to_owned(),
        },
    }
}

/// Writes a slot (`None` = free) and gives the number of bytes written. The checksum comes last.
fn write_slot(map: &mut [u8], at: usize, seq: u64, content: Option<(&[u8], &[u8])>) -> usize {
    let (key, value) = content.unwrap_or_default();
    let len = SLOT_HEADER + key.len() + value.len();
    let field = |len: usize| u32::try_from(len).unwrap_or(FREE).to_le_bytes();
    let slot = &mut map[at..at + len];
    slot[SLOT_HEADER..SLOT_HEADER + key.len()].copy_from_slice(key);
    slot[SLOT_HEADER + key.len()..].copy_from_slice(value);
    slot[20..24].copy_from_slice(&content.map_or(FREE.to_le_bytes(), |_| field(value.len())));
    slot[16..20].copy_from_slice(&field(key.len()));
    slot[8..16].copy_from_slice(&seq.to_le_bytes());
    slot[..4].copy_from_slice(&SLOT_MAGIC.to_le_bytes());
    let crc = crc32c::crc32c(&slot[8..]);
    slot[4..8].copy_from_slice(&crc.to_le_bytes());
    len
}

fn parse_slot(map: &[u8], at: usize, slot_bytes: usize) -> Parsed<'_> {
    let Some(slot) = map.get(at..at + slot_bytes) else {
        return Parsed::Bad;
    };
    if slot[..SLOT_HEADER].iter().all(|byte| *byte == 0) {
        return Parsed::Blank;
    }
    good_slot(slot).map_or(Parsed::Bad, Parsed::Good)
}

fn good_slot(slot: &[u8]) -> Option<Slot<'_>> {
    if u32_at(slot, 0)? != SLOT_MAGIC {
        return None;
    }
    let crc = u32_at(slot, 4)?;
    let key_len = u32_at(slot, 16)? as usize;
    let value_len = u32_at(slot, 20)?;
    let value_bytes = if value_len == FREE {
        0
    } else {
        value_len as usize
    };
    let end = SLOT_HEADER.checked_add(key_len)?.checked_add(value_bytes)?;
    if crc32c::crc32c(slot.get(8..end)?) != crc {
        return None;
    }
    let (key, value) = slot[SLOT_HEADER..end].split_at(key_len);
    Some(Slot {
        seq: u64::from_le_bytes(slot.get(8..16)?.try_into().ok()?),
        key,
        value: (value_len != FREE).then_some(value),
    })
}
