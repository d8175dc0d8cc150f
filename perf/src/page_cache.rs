//! Memory for what a run will write, fetched from the host before it.
//!
//! On a virtual machine whose host takes free memory back, the first touch of a page costs microseconds,
//! which are charged to whoever happens to write first: the same sink took 80 ns a record in one run and
//! 300 in the next, all of the difference in the kernel's copy into new pages. So each run begins by writing
//! and removing a file as large as its output, for every system alike. On bare metal it changes nothing.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Naming, Result};
use crate::interrupt;

/// No more than this, so that it takes about a second at most.
const MOST: u64 = 1 << 30;

/// Makes the kernel hold pages for about `bytes` of files below `dir`, and leaves them free.
pub(crate) fn prepare(dir: &Path, bytes: u64) -> Result<()> {
    let path = dir.join("page-cache");
    let mut file = File::create(&path).at("create", &path)?;
    let block = vec![0; 1 << 20];
    for _ in 0..bytes.min(MOST).div_ceil(1 << 20) {
        interrupt::check()?;
        file.write_all(&block).at("write", &path)?;
    }
    drop(file);
    std::fs::remove_file(&path).at("remove", &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path(), 3_000_000).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
