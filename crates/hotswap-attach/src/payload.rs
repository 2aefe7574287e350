//! What the new thread runs: a few instructions, the addresses they call, and a Python source.
//!
//! All of it lies in one mapping of its own:
//!
//! ```text
//! 0        instructions (made executable, and no longer writable, before they run)
//! 4096     the words of `Context`, then the source
//! ...      the stack for the calls that the stopped thread is made to do
//! ```
//!
//! The thread's first step is to read one byte from the channel: it is sent when the stopped thread
//! runs on, which needs the mapping until then. Its last is a jump to `munmap`, which returns to
//! where the thread came from: nothing of the mapping is left, and no second stop is needed to
//! take it away.

/// The size of a page, and of the part that holds the instructions, in bytes.
pub(crate) const PAGE: u64 = 4096;
const STACK: u64 = 16 * PAGE;
/// `call rax; int3`: makes the stopped thread call a function and then stop again.
const CALL: [u8; 3] = [0xff, 0xd0, 0xcc];
/// Where the instructions of the new thread begin.
const ENTRY: u64 = 16;
const THREAD: [u8; 70] = [
    0xf3, 0x0f, 0x1e, 0xfa, // endbr64
    0x53, // push rbx
    0x41, 0x54, // push r12
    0x48, 0x83, 0xec, 0x08, // sub rsp, 8
    0x48, 0x89, 0xfb, // mov rbx, rdi
    0x8b, 0x7b, 0x40, // mov edi, [rbx + 64]
    0x48, 0x8d, 0x73, 0x60, // lea rsi, [rbx + 96]
    0xba, 0x01, 0x00, 0x00, 0x00, // mov edx, 1
    0xff, 0x53, 0x38, // call [rbx + 56]       read
    0xff, 0x13, // call [rbx]            PyGILState_Ensure
    0x41, 0x89, 0xc4, // mov r12d, eax
    0x48, 0x8b, 0x7b, 0x18, // mov rdi, [rbx + 24]
    0xff, 0x53, 0x08, // call [rbx + 8]        PyRun_SimpleString
    0x44, 0x89, 0xe7, // mov edi, r12d
    0xff, 0x53, 0x10, // call [rbx + 16]       PyGILState_Release
    0x48, 0x8b, 0x43, 0x20, // mov rax, [rbx + 32]
    0x48, 0x8b, 0x7b, 0x28, // mov rdi, [rbx + 40]
    0x48, 0x8b, 0x73, 0x30, // mov rsi, [rbx + 48]
    0x48, 0x83, 0xc4, 0x08, // add rsp, 8
    0x41, 0x5c, // pop r12
    0x5b, // pop rbx
    0xff, 0xe0, // jmp rax               munmap
    0xcc, 0xcc, // int3, never reached
];
/// Behind the nine words of the context: what the stopped thread's calls write, and, 16 bytes
/// further, the byte that the new thread reads.
const RESULTS: u64 = 80;
const SOURCE: u64 = 128;

/// The addresses of functions in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) ensure: u64,
    pub(crate) run: u64,
    pub(crate) release: u64,
    pub(crate) munmap: u64,
    pub(crate) read: u64,
}

/// The mapping, once its address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Region {
    /// How much is needed for a source of this many bytes.
    pub(crate) fn size_for(source: usize) -> u64 {
        let data = SOURCE + source as u64 + 1;
        PAGE + data.next_multiple_of(PAGE) + STACK
    }

    /// Where the stopped thread calls functions from.
    pub(crate) fn caller(self) -> u64 {
        self.start
    }

    /// The function that the new thread begins with.
    pub(crate) fn entry(self) -> u64 {
        self.start + ENTRY
    }

    /// The new thread's argument.
    pub(crate) fn context(self) -> u64 {
        self.start + PAGE
    }

    /// Room for 16 bytes of results.
    pub(crate) fn results(self) -> u64 {
        self.context() + RESULTS
    }

    /// The top of the stack for the stopped thread's calls.
    pub(crate) fn stack(self) -> u64 {
        self.start + self.size - 64
    }

    /// The bytes of the first page.
    pub(crate) fn instructions() -> Vec<u8> {
        let mut bytes = CALL.to_vec();
        bytes.resize(ENTRY as usize, 0xcc);
        bytes.extend(THREAD);
        bytes
    }

    /// The bytes of the pages behind it.
    pub(crate) fn data(self, calls: Calls, channel: i32, source: &str) -> Vec<u8> {
        let words = [
            calls.ensure,
            calls.run,
            calls.release,
            self.context() + SOURCE,
            calls.munmap,
            self.start,
            self.size,
            calls.read,
            u64::from(channel.cast_unsigned()),
        ];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(SOURCE as usize, 0);
        bytes.extend(source.as_bytes());
        bytes.push(0);
        bytes
    }
}

/// The one line that is handed to the interpreter. `PyRun_SimpleString` runs it in `__main__`, so
/// the source gets a namespace of its own, and no name is left there.
pub(crate) fn line(source: &str, channel: i32, mask: u64) -> String {
    let signals: String = (1..=64)
        .filter(|signal| mask >> (signal - 1) & 1 == 1)
        .map(|signal| format!("{signal},"))
        .collect();
    let literal = literal(source);
    format!(
        "__import__('builtins').exec(__import__('builtins').compile({literal},'<hotswap attach>','exec'),\
         {{'__name__':'hotswap attach','CHANNEL':{channel},'SIGNALS':({signals})}})"
    )
}

/// A Python string literal in ASCII for any text.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + text.len() / 8);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            ' '..='~' => literal.push(character),
            other => literal.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::{Calls, ENTRY, PAGE, Region, THREAD, line};

    const CALLS: Calls = Calls {
        ensure: 1,
        run: 2,
        release: 3,
        munmap: 4,
        read: 5,
    };

    #[test]
    fn the_parts_lie_where_the_instructions_look_for_them() {
        let size = Region::size_for(5000);
        let region = Region {
            start: 0x10_0000,
            size,
        };
        let data = region.data(CALLS, 7, "pass");
        let word = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        assert_eq!([word(0), word(8), word(16), word(32)], [1, 2, 3, 4]);
        assert_eq!([word(40), word(48)], [region.start, size]);
        assert_eq!([word(56), word(64)], [5, 7]);
        let source = (word(24) - region.context()) as usize;
        assert_eq!(&data[source..], b"pass\0");
        assert!(region.results() >= region.context() + 72 && region.results() + 24 < word(24));
        assert!(region.context() + 128 + 5001 < region.stack() - 8 * PAGE);
    }

    #[test]
    fn the_thread_jumps_to_munmap_with_an_even_stack() {
        let bytes = Region::instructions();
        assert_eq!(bytes[..3], [0xff, 0xd0, 0xcc]);
        let thread = &bytes[ENTRY as usize..];
        assert_eq!(thread, THREAD);
        assert!(bytes.len() < PAGE as usize);
        let pushes = [&thread[4..5], &thread[5..7], &thread[7..11]];
        assert_eq!(
            pushes,
            [&[0x53][..], &[0x41, 0x54], &[0x48, 0x83, 0xec, 0x08]]
        );
        assert_eq!(thread[66..68], [0xff, 0xe0]);
    }

    #[test]
    fn the_line_is_one_line_of_ascii() {
        let line = line("print('a\\b')\nx = \"ä\"\t\n", 5, 1 << 14 | 1);
        assert!(line.is_ascii() && !line.contains('\n'));
        assert!(line.contains(r"'print(\'a\\b\')\nx = ") && line.contains(r"\U000000e4"));
        assert!(line.ends_with("'CHANNEL':5,'SIGNALS':(1,15,)})"));
    }
}
