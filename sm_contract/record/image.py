"""What an image is and holds, seen without starting it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FileFact:
    """One entry of the image's merged file system."""

    path: str  # as asked for
    real_path: str  # after symbolic links
    kind: str  # "file", "directory", "symlink" (dangling), "other"
    mode: int = 0  # permission bits
    uid: int = 0
    gid: int = 0
    size: int = 0
    capabilities: tuple[str, ...] = ()  # its file capabilities, where they are effective: all granted, or no start


@dataclass(frozen=True, kw_only=True)
class Program:
    """What the kernel would start for the word of a role, followed from script to interpreter to loader."""

    word: str  # "train" or "serve"
    argv: tuple[str, ...]  # ENTRYPOINT and the word
    file: FileFact | None  # the resolved first element; None if nothing of that name is there
    looked_in: tuple[str, ...] = ()  # the places tried, in order
    elsewhere: tuple[str, ...] = ()  # files of that name that lie off the PATH
    form: str = "missing"  # "elf", "script", "other", "missing"
    interpreter: str = ""  # of the first line, as written
    interpreter_file: FileFact | None = None
    first_line: str = ""  # of a script, control characters shown
    machine: str = ""  # of the ELF file at the end of the chain: "amd64", "arm64", …
    loader: str = ""  # PT_INTERP of that ELF file
    loader_found: bool = True
    knows_word: bool | None = None  # the scripts of the entry point mention the word; None: no text to look at


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """HEALTHCHECK, with the engine's defaults filled in."""

    command: tuple[str, ...]
    interval: float = 30.0  # seconds
    retries: int = 3
    start_period: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LayerFact:
    """A layer as a manifest describes it: as it is pushed."""

    media_type: str
    size: int  # bytes


@dataclass(frozen=True, kw_only=True)
class ManifestFact:
    """The manifest of the image as it would be pushed, and the index that its name leads to, if it does to one."""

    media_type: str  # "": not seen
    schema: int = 2  # schemaVersion
    characters: int = 0  # of its JSON; 0: not seen
    layers: tuple[LayerFact, ...] | None = None  # None: not seen
    index: str = ""  # media type of the index; "": the name leads to the manifest itself
    images: int = 1  # in the index; 0: not seen
    attestations: int | None = 0  # beside the image, in the index or in the table of a layout; None: not seen


@dataclass(frozen=True, kw_only=True)
class GpuFacts:
    """What speaks of CUDA in an image; there is none of these for an image where nothing does."""

    signs: tuple[str, ...]
    drivers: tuple[str, ...] = ()  # files of the NVIDIA driver
    runtimes: tuple[str, ...] = ()  # libcudart, the framework's own copies too
    compat: tuple[str, ...] = ()  # folders with the libraries of CUDA forward compatibility
    always: tuple[str, ...] = ()  # settings that put such a folder on the loader's path on every host
    on_condition: str = ""  # a text of the entry point that speaks of such a folder
    entry_texts: int = 0  # of the entry point, that could be looked into


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What the image says of itself, read from the image and never from the request."""

    reference: str  # as given
    source: str  # "engine", "docker archive", "oci layout"
    id: str  # digest of the config
    digest: str = ""  # of the manifest, where known
    tags: tuple[str, ...] = ()
    os: str
    architecture: str
    variant: str = ""
    size: int = 0  # bytes
    user: str = ""
    user_id: int | None = 0  # what `user` stands for; None: the image does not say
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    workdir: str = ""
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    exposed: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    layers: int = 0
    biggest_layer: int = 0  # bytes, unpacked; 0: not known
    manifest: ManifestFact | None = None  # None: the source keeps none
    workdir_file: FileFact | None = None
    passwd: tuple[str, ...] | None = None  # user names and numeric ids; None: no /etc/passwd
    groups: tuple[str, ...] | None = None
    programs: dict[str, Program] = field(default_factory=dict)  # by word
    baked: tuple[FileFact, ...] = ()  # regular files anywhere below /opt/ml (at most 1,000)
    gpu: GpuFacts | None = None
    unreadable: str = ""  # why the file system could not be read, if so
