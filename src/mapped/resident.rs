//! Memory of the process that nothing needs now.

use std::ops::Range;

/// Drops the mappings of code, which come back from the page cache page by page when they run, and gives the
/// allocator's free pages back to the system. Costs some hundred minor faults afterwards. What can't be given
/// back stays.
pub fn give_back() {
    if let Ok(maps) = std::fs::read_to_string("/proc/self/maps") {
        for code in maps.lines().filter_map(code) {
            drop_mappings(code);
        }
    }
    #[cfg(target_env = "gnu")]
    trim_heap();
}

/// The addresses of a line of `/proc/PID/maps` that is about code of a file, which nobody can have changed.
fn code(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let file = fields.nth(3).filter(|name| name.starts_with('/'));
    if permissions != "r-xp" || file.is_none() {
        return None;
    }
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(from)?..address(to)?)
}

#[expect(unsafe_code, reason = "a mapping's pages are named by address")]
fn drop_mappings(code: Range<usize>) {
    let start = std::ptr::with_exposed_provenance_mut(code.start);
    // SAFETY: the range is one of the process's private mappings of a file, without write permission; its
    // pages hold what the file holds and come back from there.
    let dropped =
        unsafe { rustix::mm::madvise(start, code.len(), rustix::mm::Advice::LinuxDontNeed) };
    if let Err(error) = dropped {
        tracing::debug!(%error, "code that is not needed stays mapped");
    }
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a function of the C library")]
fn trim_heap() {
    // SAFETY: it may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_given_back() {
        let code_of = |line| code(line).map(|range| (range.start, range.end));
        let text = "55d0c1a00000-55d0c2900000 r-xp 00400000 fe:00 123   /usr/bin/ring main";
        assert_eq!(code_of(text), Some((0x55d0_c1a0_0000, 0x55d0_c290_0000)));
        for other in [
            "55d0c1a00000-55d0c2900000 r--p 00400000 fe:00 123   /usr/bin/ringmain",
            "55d0c1a00000-55d0c2900000 rwxp 00400000 fe:00 123   /usr/bin/ringmain",
            "55d0c1a00000-55d0c2900000 r-xs 00400000 fe:00 123   /usr/bin/ringmain",
            "7ffd3b5f6000-7ffd3b5f8000 r-xp 00000000 00:00 0     [vdso]",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
            "nonsense",
            "",
        ] {
            assert_eq!(code_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_with_code_that_was_given_back() {
        let before: Vec<u64> = (0..100).map(|n| n * n).collect();
        give_back();
        give_back();
        assert_eq!(before, (0..100).map(|n| n * n).collect::<Vec<u64>>());
    }
}
