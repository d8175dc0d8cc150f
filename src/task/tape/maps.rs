//! The maps of one record: members in Java's order of insertion, each map with the table size that
//! Java's `HashMap` has at this point (contract 6.5).
//!
//! Order is worked out when somebody asks for it. A copy into a table that is as large or larger keeps
//! the order of insertion within each bucket; a copy into a smaller one goes by the buckets of the old
//! table first, and only then members move.

use super::value::{Text, Val, narrow, node};
use crate::api::data::java_hash;
use crate::converters::json::{Kind, View};

/// Objects with more members than this find duplicates by hash table.
const FEW: usize = 16;

/// A member of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// `hashCode` of the name.
    pub(super) hash: i32,
    pub(super) name: Text,
    pub(super) value: Val,
}

/// In which order a map iterates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `HashMap` with a table of this size.
    Table(usize),
    /// `LinkedHashMap`: as inserted.
    Inserted,
}

/// A name that a configuration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    /// `hashCode`.
    pub(super) hash: i32,
    /// Always of the tape's own bytes.
    pub(super) text: Text,
}

/// A map that is not the outermost.
#[derive(Debug, Clone, Copy)]
struct Inner {
    first: u32,
    end: u32,
    order: Order,
}

/// What the value is at present.
#[derive(Debug, Clone, Copy)]
enum Root {
    /// Anything, a map among it that nobody has looked into.
    Whole(Val),
    /// A map: the members from `first` on.
    Open,
}

/// An operation met something that the struct road has to decide: an error, or a rare case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::task) struct Odd;

/// The value of a record while operations change it.
#[derive(Debug)]
pub(super) struct Maps {
    members: Vec<Member>,
    inner: Vec<Inner>,
    root: Root,
    first: usize,
    order: Order,
    /// Constants of the configuration, then what this record made.
    bytes: Vec<u8>,
    constants: usize,
    keys: Vec<u64>,
    slots: Vec<u32>,
    stack: Vec<Member>,
}

impl Maps {
    /// No value yet; `constants` are what [`Name`]s and texts of the configuration refer to.
    pub(super) fn new(constants: Vec<u8>) -> Self {
        Self {
            members: Vec::new(),
            inner: Vec::new(),
            root: Root::Whole(Val::Null),
            first: 0,
            order: Order::Inserted,
            constants: constants.len(),
            bytes: constants,
            keys: Vec::new(),
            slots: Vec::new(),
            stack: Vec::new(),
        }
    }

    /// Begins a record with this value.
    #[inline]
    pub(super) fn reset(&mut self, value: Val) {
        self.members.clear();
        self.inner.clear();
        self.bytes.truncate(self.constants);
        self.root = Root::Whole(value);
        self.first = 0;
    }

    /// Bytes of heap memory that it keeps.
    pub(super) fn kept_bytes(&self) -> usize {
        (self.members.capacity() + self.stack.capacity()) * size_of::<Member>()
            + self.bytes.capacity()
            + self.keys.capacity() * size_of::<u64>()
    }

    /// The bytes of a text.
    #[inline]
    pub(super) fn text<'a>(&'a self, view: View<'a>, text: Text) -> &'a [u8] {
        match text {
            Text::Node(node) => view.text(node as usize).as_bytes(),
            Text::Made { start, len } => {
                let start = start as usize;
                self.bytes.get(start..start + len as usize).unwrap_or(b"")
            }
        }
    }

    /// The tape's own bytes, to append a text to: see [`Self::made_since`].
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The text that was appended to [`Self::bytes`] when they were `start` long.
    pub(super) fn made_since(&self, start: usize) -> Text {
        Text::Made {
            start: narrow(start),
            len: narrow(self.bytes.len() - start),
        }
    }

    /// Keeps a text.
    pub(super) fn make(&mut self, text: &[u8]) -> Text {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.made_since(start)
    }

    /// Appends a text to [`Self::bytes`].
    pub(super) fn append(&mut self, view: View<'_>, text: Text) {
        match text {
            Text::Node(node) => view.append_text(node as usize, &mut self.bytes),
            Text::Made { start, len } => {
                let start = start as usize;
                self.bytes.extend_from_within(start..start + len as usize);
            }
        }
    }

    /// A new map without members.
    pub(super) fn empty(&mut self, order: Order) -> Val {
        let end = narrow(self.members.len());
        self.inner.push(Inner {
            first: end,
            end,
            order,
        });
        Val::Map(narrow(self.inner.len() - 1))
    }

    /// Whether the value is null in Java.
    #[inline]
    pub(super) fn is_null(&self, view: View<'_>) -> bool {
        match self.root {
            Root::Whole(value) => value.is_null(view),
            Root::Open => false,
        }
    }

    /// The value, a map as one of the inner ones.
    pub(super) fn take(&mut self) -> Val {
        match self.root {
            Root::Whole(value) => value,
            Root::Open => {
                let inner = Inner {
                    first: narrow(self.first),
                    end: narrow(self.members.len()),
                    order: self.order,
                };
                self.inner.push(inner);
                Val::Map(narrow(self.inner.len() - 1))
            }
        }
    }

    /// Replaces the value.
    pub(super) fn set(&mut self, value: Val) {
        self.root = Root::Whole(value);
    }

    /// Replaces the value by an empty map.
    pub(super) fn set_map(&mut self, order: Order) {
        self.first = self.members.len();
        self.order = order;
        self.root = Root::Open;
    }

    /// Makes sure that the value is a map whose members can be changed (Kafka: `requireMap`).
    #[inline]
    pub(super) fn open(&mut self, view: View<'_>) -> Result<(), Odd> {
        match self.root {
            Root::Open => Ok(()),
            Root::Whole(Val::Node(at)) if view.kind(at as usize) == Kind::Object => {
                self.set_map(Order::Inserted);
                collect(view, at as usize, &mut self.members, &mut self.slots);
                let count = self.members.len() - self.first;
                self.order = Order::Table(java_hash::grown(java_hash::DEFAULT_CAPACITY, count));
                Ok(())
            }
            Root::Whole(Val::Map(at)) => {
                let inner = self.inner.get(at as usize).copied().ok_or(Odd)?;
                self.set_map(inner.order);
                let members = inner.first as usize..inner.end as usize;
                self.members.extend_from_within(members);
                Ok(())
            }
            Root::Whole(_) => Err(Odd),
        }
    }

    /// Members of the open map, in order of insertion.
    #[inline]
    pub(super) fn members(&self) -> &[Member] {
        self.members.get(self.first..).unwrap_or_default()
    }

    #[inline]
    fn members_mut(&mut self) -> &mut [Member] {
        self.members.get_mut(self.first..).unwrap_or_default()
    }

    #[inline]
    fn find(&self, view: View<'_>, from: usize, name: Name) -> Option<usize> {
        let members = self.members.get(from..)?;
        let mut at = 0;
        loop {
            at += members
                .get(at..)?
                .iter()
                .position(|member| member.hash == name.hash)?;
            let found = members.get(at)?.name;
            if found == name.text || self.text(view, found) == self.text(view, name.text) {
                return Some(from + at);
            }
            at += 1;
        }
    }

    /// The value of a member of the open map.
    #[inline]
    pub(super) fn get(&self, view: View<'_>, name: Name) -> Option<Val> {
        let at = self.find(view, self.first, name)?;
        self.members.get(at).map(|member| member.value)
    }

    /// The value of a member of any map; `None` also when `map` is none.
    pub(super) fn get_in(&self, view: View<'_>, map: Val, name: Name) -> Option<Val> {
        match map {
            Val::Node(at) => {
                let name = std::str::from_utf8(self.text(view, name.text)).ok()?;
                view.get(at as usize, name).map(|at| Val::Node(node(at)))
            }
            Val::Map(at) => {
                let inner = self.inner.get(at as usize)?;
                let found = self.find(view, inner.first as usize, name)?;
                let within = found < inner.end as usize;
                within.then(|| self.members.get(found).map(|member| member.value))?
            }
            _ => None,
        }
    }

    /// `new HashMap<>(map)` in place of the open map.
    #[inline]
    pub(super) fn copy(&mut self) {
        self.copy_into(java_hash::capacity_for_copy(self.members().len()));
    }

    /// A copy into a new table of `capacity`, which grows as members come.
    #[inline]
    pub(super) fn copy_into(&mut self, capacity: usize) {
        let size = java_hash::grown(capacity, self.members().len());
        if let Order::Table(old) = self.order
            && size < old
        {
            self.sort();
        }
        self.order = Order::Table(size);
    }

    /// `map.put(name, value)`.
    #[inline]
    pub(super) fn put(&mut self, view: View<'_>, name: Name, value: Val) {
        match self.find(view, self.first, name) {
            Some(at) => {
                if let Some(member) = self.members.get_mut(at) {
                    member.value = value;
                }
            }
            None => self.push(name, value),
        }
    }

    /// `map.put(name, change(map.get(name)))`, where a member that is not there is null.
    #[inline]
    pub(super) fn change(
        &mut self,
        view: View<'_>,
        name: Name,
        change: impl FnOnce(Val, &mut Self) -> Result<Val, Odd>,
    ) -> Result<(), Odd> {
        let value = self.get(view, name).unwrap_or(Val::Null);
        let value = change(value, self)?;
        self.put(view, name, value);
        Ok(())
    }

    fn push(&mut self, name: Name, value: Val) {
        self.members.push(Member {
            hash: name.hash,
            name: name.text,
            value,
        });
        if let Order::Table(size) = self.order {
            let count = self.members.len() - self.first;
            self.order = Order::Table(java_hash::grown(size, count));
        }
    }

    /// `map.remove(name)`: a table does not shrink.
    pub(super) fn remove(&mut self, view: View<'_>, name: Name) {
        if let Some(at) = self.find(view, self.first, name) {
            self.members.remove(at);
        }
    }

    /// Drops the members that `keep` refuses.
    #[inline]
    pub(super) fn retain(&mut self, keep: impl Fn(&Self, &Member) -> bool) {
        let mut kept = self.first;
        for at in self.first..self.members.len() {
            let member = self.members[at];
            if keep(self, &member) {
                self.members[kept] = member;
                kept += 1;
            }
        }
        self.members.truncate(kept);
    }

    /// Gives members the names that `rename` says, as if each were put into a new map in turn: a name
    /// that is there already keeps its place and gets the new value. The members have to be sorted.
    pub(super) fn rename(
        &mut self,
        view: View<'_>,
        rename: impl Fn(&Self, &Member) -> Option<Name>,
    ) {
        let end = self.members.len();
        let mut kept = self.first;
        for at in self.first..end {
            let member = self.members[at];
            let name = rename(self, &member).unwrap_or(Name {
                hash: member.hash,
                text: member.name,
            });
            let known = self
                .find(view, self.first, name)
                .filter(|known| *known < kept);
            let place = known.unwrap_or(kept);
            kept += usize::from(known.is_none());
            let first_name = known.map_or(name.text, |known| self.members[known].name);
            self.members[place] = Member {
                hash: name.hash,
                name: first_name,
                value: member.value,
            };
        }
        self.members.truncate(kept);
        // They stand as they were put into the new map; the old one's table means nothing any more.
        self.order = Order::Inserted;
    }

    /// Puts other values in the places of the open map's.
    pub(super) fn replace_values(&mut self, replaced: impl Fn(Val) -> Val) {
        for member in self.members_mut() {
            member.value = replaced(member.value);
        }
    }

    /// Brings the members of the open map into the order in which it iterates.
    pub(super) fn sort(&mut self) {
        let Order::Table(size) = self.order else {
            return;
        };
        sort_members(self.members_mut(), size);
    }

    /// Calls `each` with the members of an inner map, or of the open one, in the order in which it
    /// iterates. `each` may do the same for another map, and open or make maps.
    #[inline]
    pub(super) fn for_each(&mut self, map: Option<u32>, mut each: impl FnMut(&mut Self, Member)) {
        let (first, end, order) = match map.and_then(|map| self.inner.get(map as usize)) {
            Some(inner) => (inner.first as usize, inner.end as usize, inner.order),
            None => (self.first, self.members.len(), self.order),
        };
        let from = self.keys.len();
        let members = self.members.get(first..end).unwrap_or_default();
        for (index, member) in members.iter().enumerate() {
            let bucket = match order {
                Order::Table(size) => java_hash::bucket(member.hash, size),
                Order::Inserted => 0,
            };
            self.keys
                .push((bucket as u64) << 32 | (first + index) as u64);
        }
        sort_keys(self.keys.get_mut(from..).unwrap_or_default());
        let until = self.keys.len();
        for at in from..until {
            let low = self.keys.get(at).map_or(0, |key| key & 0xffff_ffff);
            let index = usize::try_from(low).unwrap_or(usize::MAX);
            if let Some(member) = self.members.get(index).copied() {
                each(self, member);
            }
        }
        self.keys.truncate(from);
    }

    /// Calls `each` with the members of an object of the document in the order in which a `HashMap`
    /// read from it iterates.
    pub(super) fn for_each_in_node(
        &mut self,
        view: View<'_>,
        at: u32,
        mut each: impl FnMut(&mut Self, Member),
    ) {
        let from = self.stack.len();
        collect(view, at as usize, &mut self.stack, &mut self.slots);
        let until = self.stack.len();
        let size = java_hash::grown(java_hash::DEFAULT_CAPACITY, until - from);
        sort_members(self.stack.get_mut(from..).unwrap_or_default(), size);
        for index in from..until {
            if let Some(member) = self.stack.get(index).copied() {
                each(self, member);
            }
        }
        self.stack.truncate(from);
    }

    /// What the value is, for printing: a whole value, or the open map as `None`.
    pub(super) fn whole(&self) -> Option<Val> {
        match self.root {
            Root::Whole(value) => Some(value),
            Root::Open => None,
        }
    }
}

/// Appends the members of an object, each name once, at its first place and with its last value.
fn collect(view: View<'_>, at: usize, out: &mut Vec<Member>, slots: &mut Vec<u32>) {
    let first = out.len();
    let count = view.len(at);
    out.reserve(count);
    for (name, value) in view.entries(at) {
        let text = view.text(name);
        let hash = java_hash::string_hash(text);
        let value = Val::Node(node(value));
        if count <= FEW {
            let known = out.get_mut(first..).unwrap_or_default().iter_mut();
            let mut known = known.filter(|member| member.hash == hash);
            if let Some(known) = known.find(|member| named(view, member, text)) {
                known.value = value;
                continue;
            }
        }
        out.push(Member {
            hash,
            name: Text::Node(node(name)),
            value,
        });
    }
    if count > FEW {
        unite(view, first, out, slots);
    }
}

#[inline]
fn named(view: View<'_>, member: &Member, text: &str) -> bool {
    matches!(member.name, Text::Node(name) if view.text(name as usize) == text)
}

/// Drops later members of a name and gives the first the last one's value.
fn unite(view: View<'_>, first: usize, out: &mut Vec<Member>, slots: &mut Vec<u32>) {
    let size = ((out.len() - first) * 2).next_power_of_two();
    slots.clear();
    slots.resize(size, 0);
    let mut kept = first;
    for at in first..out.len() {
        let member = out[at];
        let Text::Node(name) = member.name else {
            continue;
        };
        let text = view.text(name as usize);
        let mut slot = java_hash::bucket(member.hash, size);
        let known = loop {
            let Some(known) = (slots[slot] as usize).checked_sub(1) else {
                slots[slot] = narrow(kept + 1);
                break None;
            };
            if out[known].hash == member.hash && named(view, &out[known], text) {
                break Some(known);
            }
            slot = (slot + 1) & (size - 1);
        };
        match known {
            Some(known) => out[known].value = member.value,
            None => {
                out[kept] = member;
                kept += 1;
            }
        }
    }
    out.truncate(kept);
}

/// Stable by bucket. Few members move by insertion, many by keys that are all different.
fn sort_members(members: &mut [Member], size: usize) {
    if members.len() > FEW {
        // Without an allocation up to a hundred members and more.
        return members.sort_by_key(|member| java_hash::bucket(member.hash, size));
    }
    for at in 1..members.len() {
        let member = members[at];
        let bucket = java_hash::bucket(member.hash, size);
        let mut to = at;
        while to > 0 && java_hash::bucket(members[to - 1].hash, size) > bucket {
            members[to] = members[to - 1];
            to -= 1;
        }
        members[to] = member;
    }
}

#[inline]
fn sort_keys(keys: &mut [u64]) {
    if keys.len() > FEW {
        return keys.sort_unstable();
    }
    for at in 1..keys.len() {
        let key = keys[at];
        let mut to = at;
        while to > 0 && keys[to - 1] > key {
            keys[to] = keys[to - 1];
            to -= 1;
        }
        keys[to] = key;
    }
}
