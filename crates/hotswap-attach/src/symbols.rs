//! Where the functions that attaching needs are in another process.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{ElfFile, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, ReadCache};

use crate::error::AttachError;
use crate::maps::Mapping;
use crate::payload::PAGE;
use crate::tracee;

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Functions {
    pub(crate) is_initialized: u64,
    pub(crate) ensure: u64,
    pub(crate) run: u64,
    pub(crate) release: u64,
    pub(crate) pthread_create: u64,
    pub(crate) pthread_detach: u64,
    pub(crate) munmap: u64,
    pub(crate) read: u64,
    /// The address of a `syscall` instruction.
    pub(crate) system_call: u64,
    /// Where the C library, the loader and whatever defines `malloc` run.
    pub(crate) forbidden: Vec<(u64, u64)>,
    /// The name of the file that the interpreter is in.
    pub(crate) interpreter: String,
}

const PYTHON: [&str; 4] = [
    "Py_IsInitialized",
    "PyGILState_Ensure",
    "PyRun_SimpleString",
    "PyGILState_Release",
];
const LIBRARY: [&str; 4] = ["pthread_create", "pthread_detach", "munmap", "read"];
const ALLOCATOR: &str = "malloc";

/// Looks through the files that the process has mapped.
pub(crate) fn find(pid: i32, maps: &[Mapping], program: &str) -> Result<Functions, AttachError> {
    let mut python: [Option<u64>; 4] = [None; 4];
    let mut library: [Option<u64>; 4] = [None; 4];
    let mut interpreter = String::new();
    let mut forbidden = Vec::new();
    let mut failures = Vec::new();
    let images = images(maps);
    for mapping in &images {
        let image = match Image::open(pid, mapping, maps) {
            Ok(image) => image,
            Err(error) => {
                failures.push((mapping, error));
                continue;
            }
        };
        let found = image.dynamic([PYTHON[0], PYTHON[1], PYTHON[2], PYTHON[3]]);
        if python[1].is_none() && found[1].is_some() {
            python = found;
            mapping.file_name().clone_into(&mut interpreter);
        }
        let found = image.dynamic(LIBRARY);
        let [malloc] = image.dynamic([ALLOCATOR]);
        for (place, found) in library.iter_mut().zip(found) {
            *place = place.or(found);
        }
        if malloc.is_some() || is_c_library(mapping.file_name()) {
            let of_file = |other: &&Mapping| other.path == mapping.path && other.executable;
            forbidden.extend(
                maps.iter()
                    .filter(of_file)
                    .map(|part| (part.start, part.end)),
            );
        }
    }
    if python[1].is_none() {
        // A program with an interpreter inside that does not show its names to the loader.
        if let Some(mapping) = images.first()
            && let Ok(image) = Image::open(pid, mapping, maps)
        {
            python = image.any(PYTHON);
            mapping.file_name().clone_into(&mut interpreter);
        }
    }
    let [Some(is_initialized), Some(ensure), Some(run), Some(release)] = python else {
        return Err(no_python(pid, program, images.len(), &failures));
    };
    let [create, detach, munmap, read] = library;
    let needed = |address: Option<u64>, name| address.ok_or(AttachError::NoFunction { pid, name });
    let munmap = needed(munmap, LIBRARY[2])?;
    Ok(Functions {
        is_initialized,
        ensure,
        run,
        release,
        pthread_create: needed(create, LIBRARY[0])?,
        pthread_detach: needed(detach, LIBRARY[1])?,
        munmap,
        read: needed(read, LIBRARY[3])?,
        system_call: system_call(pid, munmap, maps)?,
        forbidden,
        interpreter,
    })
}

/// One mapping for each file that runs in the process, the program itself first. Extension modules of
/// Python are left out: they are loaded so that nobody else sees their names.
fn images(maps: &[Mapping]) -> Vec<&Mapping> {
    let mut images: Vec<&Mapping> = Vec::new();
    for mapping in maps
        .iter()
        .filter(|mapping| mapping.executable && mapping.inode != 0)
    {
        let name = mapping.file_name();
        let extension = name.contains(".cpython-") || name.contains(".abi3.");
        if !extension
            && mapping.path.starts_with('/')
            && !images.iter().any(|seen| seen.path == mapping.path)
        {
            images.push(mapping);
        }
    }
    images
}

fn is_c_library(name: &str) -> bool {
    ["libc.so", "libc-2", "ld-", "libpthread", "libc.musl"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn no_python(
    pid: i32,
    program: &str,
    looked: usize,
    failures: &[(&&Mapping, io::Error)],
) -> AttachError {
    match failures
        .iter()
        .find(|(mapping, _)| mapping.file_name().contains("python"))
        .or(failures.first())
    {
        Some((mapping, _)) if mapping.is_deleted() => AttachError::Replaced {
            pid,
            path: mapping.file().into(),
        },
        Some((mapping, error)) => AttachError::Unreadable {
            pid,
            path: mapping.file().into(),
            reason: error.to_string(),
        },
        None => AttachError::NotPython {
            pid,
            program: program.to_owned(),
            looked,
        },
    }
}

/// The address of a `syscall` instruction, near a function that is known to hold one.
fn system_call(pid: i32, near: u64, maps: &[Mapping]) -> Result<u64, AttachError> {
    const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
    if let Some(mapping) = maps.iter().find(|mapping| mapping.contains(near)) {
        let size = (mapping.end - near).min(PAGE);
        let bytes = tracee::read(pid, near, size as usize)?;
        if let Some(place) = bytes.windows(2).position(|pair| pair == INSTRUCTION) {
            return Ok(near + place as u64);
        }
    }
    Err(AttachError::NoFunction {
        pid,
        name: "syscall",
    })
}

/// A mapped file, of which only what is asked for is read.
struct Image {
    cache: ReadCache<File>,
    /// What is to be added to an address in the file to get one in the process.
    bias: u64,
}

type Elf<'data> = ElfFile<'data, FileHeader64<Endianness>, &'data ReadCache<File>>;

impl Image {
    fn open(pid: i32, mapping: &Mapping, maps: &[Mapping]) -> io::Result<Self> {
        let cache = ReadCache::new(open(pid, mapping)?);
        let bias = {
            let elf = Elf::parse(&cache).map_err(io::Error::other)?;
            bias(&elf, &mapping.path, maps)
                .ok_or_else(|| io::Error::other("its segments are not mapped as it says"))?
        };
        Ok(Self { cache, bias })
    }

    /// The addresses of functions that the loader knows.
    fn dynamic<const N: usize>(&self, names: [&str; N]) -> [Option<u64>; N] {
        let Ok(elf) = Elf::parse(&self.cache) else {
            return [None; N];
        };
        pick(elf.dynamic_symbols(), names, self.bias)
    }

    /// The addresses of functions, also of those that only a debugger knows.
    fn any<const N: usize>(&self, names: [&str; N]) -> [Option<u64>; N] {
        let Ok(elf) = Elf::parse(&self.cache) else {
            return [None; N];
        };
        pick(elf.symbols(), names, self.bias)
    }
}

fn pick<'data, S: ObjectSymbol<'data>, const N: usize>(
    symbols: impl Iterator<Item = S>,
    names: [&str; N],
    bias: u64,
) -> [Option<u64>; N] {
    let mut found = [None; N];
    for symbol in symbols.filter(ObjectSymbol::is_definition) {
        let Ok(name) = symbol.name() else { continue };
        if let Some(place) = names.iter().position(|wanted| *wanted == name) {
            found[place] = Some(bias + symbol.address());
        }
    }
    found
}

fn bias(elf: &Elf<'_>, path: &str, maps: &[Mapping]) -> Option<u64> {
    let endian = elf.endian();
    let page_of = |value: u64| value & !(PAGE - 1);
    for header in elf.elf_program_headers() {
        if header.p_type(endian) != PT_LOAD || header.p_filesz(endian) == 0 {
            continue;
        }
        let offset = page_of(header.p_offset(endian));
        if let Some(part) = maps
            .iter()
            .find(|part| part.path == path && part.offset == offset)
        {
            return Some(part.start.wrapping_sub(page_of(header.p_vaddr(endian))));
        }
    }
    None
}

/// The file behind a mapping, as the process itself sees it: it may have another root.
fn open(pid: i32, mapping: &Mapping) -> io::Result<File> {
    // Needs rights that few have, and is the only way to a file that is gone.
    let by_range = format!(
        "/proc/{pid}/map_files/{:x}-{:x}",
        mapping.start, mapping.end
    );
    if let Ok(file) = File::open(by_range) {
        return Ok(file);
    }
    let inside = format!("/proc/{pid}/root{}", mapping.file());
    let file = File::open(inside).or_else(|_| File::open(mapping.file()))?;
    if file.metadata()?.ino() == mapping.inode {
        return Ok(file);
    }
    Err(io::Error::other(
        "another file has taken its place on disk since the process started it",
    ))
}
