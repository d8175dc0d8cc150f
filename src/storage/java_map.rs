//! Reads what `ObjectOutputStream.writeObject` made of a `HashMap<byte[], byte[]>`: the offset file of
//! Apache's standalone worker (contract 3.3; Java Object Serialization Specification, chapter 6).

use std::sync::Arc;

const STREAM_MAGIC: [u8; 4] = [0xAC, 0xED, 0x00, 0x05];
const FIRST_HANDLE: u32 = 0x7E_0000;

const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_STRING: u8 = 0x74;
const TC_ARRAY: u8 = 0x75;
const TC_BLOCKDATA: u8 = 0x77;
const TC_ENDBLOCKDATA: u8 = 0x78;

const HASH_MAP: &str = "java.util.HashMap";
const BYTE_ARRAY: &str = "[B";
/// More superclasses than any map has.
const DEPTH_MAX: usize = 8;

/// Key and value; Java's maps may hold null for either.
pub(super) type MapEntry = (Option<Arc<[u8]>>, Option<Arc<[u8]>>);

/// Why there is no map.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MapError {
    /// The bytes end. Apache takes that for "no offsets".
    EndOfFile,
    /// Another class.
    NotAHashMap(String),
    /// Something that no offset file has.
    Unreadable { position: usize, reason: String },
}

#[derive(Debug, Clone)]
enum Handle {
    Class(Arc<Class>),
    Bytes(Arc<[u8]>),
    Other,
}

#[derive(Debug)]
struct Class {
    name: String,
    /// Type code and bytes of each primitive field.
    field_bytes: usize,
    superclass: Option<Arc<Class>>,
}

impl Class {
    /// From the root of the hierarchy down: the order in which instance data is written.
    fn hierarchy(&self) -> Vec<&Class> {
        let mut classes = vec![self];
        let mut next = self.superclass.as_deref();
        while let Some(class) = next {
            classes.push(class);
            next = class.superclass.as_deref();
        }
        classes.reverse();
        classes
    }
}

/// Whether a file that begins with `head` is Java's rather than ours. Less than a whole stream header
/// is an end of file to Java.
pub(super) fn is_java(head: &[u8]) -> bool {
    !head.is_empty() && (head.len() < STREAM_MAGIC.len() || head.starts_with(&STREAM_MAGIC))
}

/// Reads the map.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<MapEntry>, MapError> {
    let mut reader = Reader {
        bytes,
        position: 0,
        handles: Vec::new(),
    };
    if reader.take(STREAM_MAGIC.len())? != STREAM_MAGIC {
        return Err(reader.unreadable("no header of a Java object stream".to_owned()));
    }
    reader.map()
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    handles: Vec<Handle>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], MapError> {
        let end = self.position.checked_add(len).ok_or(MapError::EndOfFile)?;
        let bytes = self.bytes.get(self.position..end);
        self.position = end;
        bytes.ok_or(MapError::EndOfFile)
    }

    fn u8(&mut self) -> Result<u8, MapError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, MapError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, MapError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn utf(&mut self) -> Result<String, MapError> {
        let len = self.u16()?;
        let bytes = self.take(usize::from(len))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn unreadable(&self, reason: String) -> MapError {
        MapError::Unreadable {
            position: self.position,
            reason,
        }
    }

    fn unexpected<T>(&self, what: &str, code: u8) -> Result<T, MapError> {
        Err(self.unreadable(format!("{what} expected, found type code 0x{code:02x}")))
    }

    fn map(&mut self) -> Result<Vec<MapEntry>, MapError> {
        match self.u8()? {
            TC_OBJECT => {}
            TC_STRING => return Err(MapError::NotAHashMap("java.lang.String".to_owned())),
            TC_ARRAY => {
                let class = self.class(0)?;
                let name = class.map_or_else(|| "null".to_owned(), |class| class.name.clone());
                return Err(MapError::NotAHashMap(name));
            }
            code => return self.unexpected("an object", code),
        }
        let Some(class) = self.class(0)? else {
            return Err(self.unreadable("an object without a class".to_owned()));
        };
        self.handles.push(Handle::Other);
        let hierarchy = class.hierarchy();
        // HashMap's superclass is not serializable, so that HashMap is the root.
        let Some(root) = hierarchy.first().filter(|root| root.name == HASH_MAP) else {
            return Err(MapError::NotAHashMap(class.name.clone()));
        };
        self.take(root.field_bytes)?;
        match (self.u8()?, self.u8()?) {
            (TC_BLOCKDATA, 8) => {}
            (code, _) => return self.unexpected("the size of the map", code),
        }
        self.u32()?;
        let size = self.u32()?;
        let mut entries = Vec::new();
        for _ in 0..size {
            let key = self.array()?;
            let value = self.array()?;
            entries.push((key, value));
        }
        match self.u8()? {
            TC_ENDBLOCKDATA => Ok(entries),
            code => self.unexpected("the end of the map", code),
        }
    }

    /// A class descriptor; `None` for null.
    fn class(&mut self, depth: usize) -> Result<Option<Arc<Class>>, MapError> {
        if depth > DEPTH_MAX {
            return Err(self.unreadable("too many superclasses".to_owned()));
        }
        match self.u8()? {
            TC_NULL => Ok(None),
            TC_REFERENCE => match self.reference()? {
                Handle::Class(class) => Ok(Some(class)),
                _ => Err(self.unreadable("a reference to something that is no class".to_owned())),
            },
            TC_CLASSDESC => self.new_class(depth).map(Some),
            code => self.unexpected("a class", code),
        }
    }

    fn new_class(&mut self, depth: usize) -> Result<Arc<Class>, MapError> {
        let name = self.utf()?;
        // serialVersionUID and flags.
        let place = self.handles.len();
        self.take(8)?;
        self.handles.push(Handle::Other);
        self.u8()?;
        let mut field_bytes = 0;
        for _ in 0..self.u16()? {
            field_bytes += self.field()?;
        }
        match self.u8()? {
            TC_ENDBLOCKDATA => {}
            code => return self.unexpected("the end of a class", code),
        }
        let superclass = self.class(depth + 1)?;
        let class = Arc::new(Class {
            name,
            field_bytes,
            superclass,
        });
        self.handles[place] = Handle::Class(Arc::clone(&class));
        Ok(class)
    }

    /// A field's declaration; gives the bytes of its value, 0 for objects (only classes that are no
    /// HashMap have such fields, and those are refused before any value is read).
    fn field(&mut self) -> Result<usize, MapError> {
        let code = self.u8()?;
        self.utf()?;
        match code {
            b'B' | b'Z' => Ok(1),
            b'C' | b'S' => Ok(2),
            b'F' | b'I' => Ok(4),
            b'D' | b'J' => Ok(8),
            b'L' | b'[' => {
                match self.u8()? {
                    TC_STRING => {
                        self.utf()?;
                        self.handles.push(Handle::Other);
                    }
                    TC_REFERENCE => drop(self.reference()?),
                    code => return self.unexpected("a type name", code),
                }
                Ok(0)
            }
            code => self.unexpected("a field", code),
        }
    }

    fn reference(&mut self) -> Result<Handle, MapError> {
        let handle = self.u32()?;
        let index = handle.checked_sub(FIRST_HANDLE);
        let known = index.and_then(|index| self.handles.get(index as usize));
        known
            .cloned()
            .ok_or_else(|| self.unreadable(format!("a reference to unknown handle {handle:08x}")))
    }

    fn array(&mut self) -> Result<Option<Arc<[u8]>>, MapError> {
        match self.u8()? {
            TC_NULL => return Ok(None),
            TC_REFERENCE => {
                return match self.reference()? {
                    Handle::Bytes(bytes) => Ok(Some(bytes)),
                    _ => Err(self.unreadable("a reference to no byte array".to_owned())),
                };
            }
            TC_ARRAY => {}
            code => return self.unexpected("a byte array", code),
        }
        match self.class(0)? {
            Some(class) if class.name == BYTE_ARRAY => {}
            class => {
                let name = class.map_or_else(|| "null".to_owned(), |class| class.name.clone());
                return Err(self.unreadable(format!("a byte array expected, found {name}")));
            }
        }
        let len = self.u32()?;
        let bytes: Arc<[u8]> = Arc::from(self.take(len as usize)?);
        self.handles.push(Handle::Bytes(Arc::clone(&bytes)));
        Ok(Some(bytes))
    }
}
