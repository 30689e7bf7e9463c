"""Which follow-ups to try when a first run did not go well: pure, ordered by what the log hints at."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sm_contract import changes
from sm_contract.alone import late, told
from sm_contract.candidate import Given
from sm_contract.record import WORD, ImageFacts, Life, ModelFacts
from sm_contract.scenarios.life import LEAVES
from sm_contract.wants import wanted

KVM, TUN = r"/dev/kvm|\bKVM\b", r"/dev/net/tun|\bTUN\b"  # devices that are only given where they are named
HINTS = (
    (changes.BESIDE_THE_MODEL, r"/opt/ml/model/"),
    (changes.REGION, r"NoRegion|specify a region|AWS_(DEFAULT_)?REGION"),
    (changes.PROXY, r"(?i:\bproxy)|HTTPS?_PROXY"),
    (changes.CREDENTIALS, r"credential|AWS_ACCESS_KEY|botocore|NoCredentials"),
    (changes.SM_VARIABLES, r"\bSM_[A-Z_]+"),
    (changes.TERMINAL, r"EOF|stdin|not a tty|terminal|Inappropriate ioctl"),
    (changes.BIG_SHM, r"/dev/shm|[Ss]hared memory|\bshm|[Bb]us error|SIGBUS|[Nn]o space left on device"),
    (
        changes.NO_SECCOMP,
        r"[Oo]peration not permitted|EPERM|[Pp]ermission denied|CAP_|not permitted|[Ff]unction not implemented|ENOSYS"
        r"|unshare|namespace|seccomp|mempolicy|mbind|numa|io_uring|keyctl|perf_event|userfaultfd|personality",
    ),
    (changes.FUSE_DEVICE, r"fuse|[Oo]peration not permitted|EPERM|/dev/|mount"),
    (changes.KVM_DEVICE, KVM),
    (changes.TUN_DEVICE, TUN),
    (changes.CAPABILITIES, r"[Oo]peration not permitted|EPERM|[Pp]ermission denied|CAP_|not permitted"),
    (changes.SYS_ADMIN, r"[Oo]peration not permitted|EPERM|[Pp]ermission denied|mount|unshare|not permitted"),
    (changes.FUSE, r"fuse|[Oo]peration not permitted|EPERM|/dev/|mount"),
    (
        changes.PRIVILEGED,
        r"[Oo]peration not permitted|EPERM|[Pp]ermission denied|[Rr]ead-only file system|/dev/|privileged",
    ),
    (changes.WRONG_CASE, r"(?i:resourceconfig|inputdataconfig|hyperparameters)\.json"),
    (changes.NO_RESOURCE_CONFIG, r"peer|algo-\d|resourceconfig|host"),
    (changes.A_CHECKPOINT, r"checkpoint|empty sequence|max\(\)"),
    (changes.HOST_ALGO_1, r"host|algo-\d"),
    (changes.A_MODEL_FILE, r"/opt/ml/model|model"),
    (changes.CONTENT_TYPE, r"ContentType"),
    (changes.READ_ONLY_INPUT, r"[Rr]ead-only file system"),
    (changes.MANY_VARIABLES, r"environ|JOB_|[Aa]rgument list too long|unterminated|syntax error"),
    (changes.UNDOCUMENTED_KEYS, r"instance_(group|type)|SmContractMadeUpKey|[Aa]dditional propert"),
    (changes.FEATURE_FILES, r"(checkpoint|debughook|profiler|tensorboardoutput)config"),
    (changes.PLATFORM_FILES, r"init-config|metric-definition|trainingjobconfig|upstreamoutput"),
    (changes.WARM_CACHE, r"(?i:warmpool|cache)"),
)
PROVIDED_TO_TRAINING = (
    changes.HYPERPARAMETERS,
    changes.CONTENT_TYPE,
    changes.ENVIRONMENT,
    changes.OPTIONAL_CHANNELS,
    changes.CHECKPOINT_DIRECTORY,
)
HARDSHIPS = (  # that an image only should bear: after those that it must, so that these are shown
    changes.READ_ONLY_INPUT,
    changes.MANY_VARIABLES,
    changes.UNDOCUMENTED_KEYS,
    changes.FEATURE_FILES,
    changes.PLATFORM_FILES,
    changes.WARM_CACHE,
)
SINGLE = {  # capabilities that programs ask for most, each with what they say without it
    "NET_ADMIN": r"RTNETLINK|netlink|iptables|ip (link|route)|ioctl|mtu|interface",
    "SYS_NICE": r"nice|schedul|priority|affinity",
    "IPC_LOCK": r"mlock|memlock|huge ?page|RLIMIT_MEMLOCK",
    "SYS_PTRACE": r"ptrace|strace|gdb|attach",
    "SYS_RESOURCE": r"rlimit|ulimit|RLIMIT",
    "SYS_TIME": r"clock|settimeofday|adjtime|ntp",
    "SYSLOG": r"dmesg|syslog|kmsg",
    "DAC_READ_SEARCH": r"open_by_handle|Permission denied",
}
RISKY_GRANTS = (changes.SYS_ADMIN, changes.FUSE, changes.PRIVILEGED)
BUS_ERROR = 128 + 7  # the exit code of a first process that SIGBUS ended


def training_follow_ups(full: Life, bare: Life, given: Given, image: ImageFacts) -> list[str]:
    """Changes of the bare training, in the order to try; the first that turns the outcome names the cause."""
    if full.good and bare.good:
        return []
    if full.good == bare.good:
        return _both_failed(full, bare, given, image)
    if bare.good:
        must = _provided((changes.ISOLATED, *PROVIDED_TO_TRAINING), given)
        return [*must, *_sorted(list(HARDSHIPS), full, sure=True)]
    needed = any(channel.required for channel in given.channels.values())
    missing = [] if needed else [changes.OTHER_CHANNEL]  # is it any channel, or those that are optional?
    return _sorted(_provided((*missing, *PROVIDED_TO_TRAINING, *HARDSHIPS, changes.ISOLATED), given), bare, sure=True)


def _both_failed(full: Life, bare: Life, given: Given, image: ImageFacts) -> list[str]:
    if full.saved or bare.saved:
        return []  # the work was done: the end is what is wrong
    if _told_by_its_files(bare, image):
        return _of_the_image(image)
    if bare.ended == "limit":
        return [changes.NO_RESOURCE_CONFIG, changes.TERMINAL]
    if bare.ended != "itself":
        return []
    owners = "channels" in given.declared
    rights = [changes.WRITABLE] if image.user.partition(":")[0] not in ("", "0", "root") else []
    reliefs = [
        *(_provided(PROVIDED_TO_TRAINING, given) if owners else []),
        changes.TERMINAL,
        changes.CREDENTIALS,
        changes.REGION,
        changes.PROXY,
        changes.SM_VARIABLES,
        changes.WRONG_CASE,
        *([changes.TYPED_HYPERPARAMETERS] if given.required_hyperparameters else []),
        changes.NO_RESOURCE_CONFIG,
        changes.A_CHECKPOINT,
        *_grants(bare),
    ]
    return [*_of_the_image(image), *rights, *_sorted(reliefs, bare, owners)]


def serving_follow_ups(  # noqa: PLR0911  # a decision list reads best as one
    full: Life, bare: Life, given: Given, image: ImageFacts, model: ModelFacts
) -> list[str]:
    """Changes of the bare life of the server, in the order to try."""
    full_well, bare_well = full.fine([bare]), bare.fine([full])
    if full_well and bare_well:
        return []
    hardships = [changes.ISOLATED, changes.READ_ONLY_MODEL, changes.HOST_NAME, changes.ENVIRONMENT]
    if full_well != bare_well:
        return hardships if bare_well else hardships[::-1]
    if model.source == "trained" and not any(file.kind == "file" for file in model.members):
        return []  # there is no model to serve, and that is the cause
    trained = [changes.TRAINED_CONTAINER] if model.source == "trained" else []
    if _told_by_its_files(bare, image):
        return _of_the_image(image)
    if full.ready_at is not None and bare.ready_at is not None and full.ended == bare.ended == "itself":
        return [*_shm(bare), *_healthcheck(image)]  # it was healthy and went away, as it is
    if bare.ended != "itself":  # it hangs, or is healthy and fails when it is invoked
        return [] if told(bare) else [*_shm(bare), *_of_the_image(image), *trained]
    reliefs = [
        *([changes.BESIDE_THE_MODEL] if given.additional_models else []),
        *([changes.A_MODEL_FILE] if model.source == "none" else []),
        *trained,
        changes.TERMINAL,
        changes.CREDENTIALS,
        changes.REGION,
        changes.PROXY,
        changes.HOST_ALGO_1,
        changes.HOST_NAME,
        changes.ENVIRONMENT,
        *_grants(bare),
    ]
    sure = model.source != "none" or "model" in given.declared
    return [*_of_the_image(image), *_sorted(reliefs, bare, sure)]


def _grants(life: Life) -> list[str]:
    """Rights to try, the least first: the first that mends a run names what it lacked.

    What says that it wants an engine, a sysctl or a namespace of the host is not given the power over them.
    """
    log = life.log_text()
    devices = [name for name, hint in ((changes.KVM_DEVICE, KVM), (changes.TUN_DEVICE, TUN)) if re.search(hint, log)]
    least = [changes.BIG_SHM, changes.NO_SECCOMP, changes.FUSE_DEVICE, *devices, changes.CAPABILITIES]
    return least if wanted(life) else [*least, *RISKY_GRANTS]


def narrower(change: str, life: Life) -> list[str]:
    """Where a grant of much mended a life: those of little to try then, what its log hints at first."""
    if change != changes.CAPABILITIES:
        return []
    log = life.log_text()
    names = sorted(SINGLE, key=lambda name: re.search(SINGLE[name], log, re.IGNORECASE) is None)
    return [f"{changes.ONE_CAPABILITY}{name}" for name in names]


def _shm(life: Life) -> list[str]:
    """More shared memory, where something hints at it in a life that was healthy for a while."""
    return [changes.BIG_SHM] if changes.BIG_SHM in _hinted(life) else []


def _told_by_its_files(life: Life, image: ImageFacts) -> bool:
    """Whether the entry program's own files say why it did not run: no right of the platform's would mend it."""
    program = image.programs.get(WORD[life.role])
    return life.never_executed or (program is not None and program.first_line.endswith("\\r"))


def _healthcheck(image: ImageFacts) -> list[str]:
    return [] if image.healthcheck is None else [changes.NO_HEALTHCHECK]


def _of_the_image(image: ImageFacts) -> list[str]:
    found = _healthcheck(image)
    if image.cmd and image.cmd not in (("train",), ("serve",)):
        found.append(changes.OWN_COMMAND)
    if any(file.path.startswith(tuple(f"{leaf}/" for leaf in LEAVES)) for file in image.baked):
        found.append(changes.UNMOUNTED)
    return found


def _provided(names: Iterable[str], given: Given) -> list[str]:
    """Those that would change anything with what was given."""
    without = {
        changes.HYPERPARAMETERS: not given.hyperparameters,
        changes.CONTENT_TYPE: not any(channel.content_type for channel in given.channels.values()),
        changes.OPTIONAL_CHANNELS: all(channel.required for channel in given.channels.values()),
    }
    return [name for name in names if not without.get(name, False)]


def _sorted(names: list[str], life: Life, sure: bool) -> list[str]:
    """What the log hints at first. Where the image may just refuse our sample data, nothing else is tried."""
    hinted = _hinted(life)
    first = [name for name in names if name in hinted]
    return [*first, *(name for name in names if name not in hinted)] if sure else first


def _hinted(life: Life) -> set[str]:
    log = life.log_text()
    bus_error = {changes.BIG_SHM} if life.exit_code == BUS_ERROR else set[str]()
    return bus_error | {change for change, pattern in HINTS if re.search(pattern, log)}


def unsure(life: Life, base: Life | None = None) -> bool:
    """Whether a life is to be measured again alone: its lateness may decide a verdict.

    That of a follow-up does only where it is all that tells it from its base.
    """
    return late(life) and (base is None or (base.good and not life.good))
