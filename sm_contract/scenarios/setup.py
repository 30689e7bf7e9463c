"""The set-ups of the runs: the full one, the bare one, and the bare one with a single change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sm_contract import changes
from sm_contract.alone import SUFFIX
from sm_contract.candidate import Given
from sm_contract.record import INFERENCE, TRAINING
from sm_contract.scenarios.bodies import Body
from sm_contract.scenarios.odd import many_variables, plain_values, short_keys

INNOCUOUS = {"SM_CONTRACT_PROBE": "1", "LOG_FORMAT": "plain", "EMPTY_SETTING": ""}
CAPABILITIES = (
    "AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND DAC_READ_SEARCH IPC_LOCK IPC_OWNER LEASE LINUX_IMMUTABLE MAC_ADMIN "
    "MAC_OVERRIDE NET_ADMIN NET_BROADCAST SYSLOG SYS_BOOT SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE "
    "SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
)
STRICT: dict[str, dict[str, object]] = {
    changes.NO_CAPABILITIES: {"dropped": True},
    changes.READ_ONLY_ROOT: {"read_only_root": True},
    changes.FEW_FILES: {"open_files": 1024},
}
FAKE_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "sm-contract",
}
REGION = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:3128")
PROXY |= {"NO_PROXY": "localhost", "no_proxy": "localhost"}
TOOLKIT_VARIABLES = {
    "SM_MODEL_DIR": "/opt/ml/model",
    "SM_INPUT_DIR": "/opt/ml/input",
    "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
    "SM_OUTPUT_DIR": "/opt/ml/output",
    "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
    "SM_CURRENT_HOST": "algo-1",
    "SM_HOSTS": '["algo-1"]',
    "SM_NUM_CPUS": "2",
    "SM_NUM_GPUS": "0",
    "SM_LOG_LEVEL": "20",
    "SM_USER_ARGS": "[]",
    "SM_HPS": "{}",
}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How one container is run. Everything not said is as the platform has it."""

    name: str
    role: str
    base: str = ""
    change: str = ""
    conditions: tuple[str, ...] = ()
    own_command: bool = False
    network: str = "ordinary"
    hostname: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    terminal: bool = False
    capabilities: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    seccomp: bool = True
    big_shm: bool = False
    privileged: bool = False
    dropped: bool = False  # no capability at all, no-new-privileges
    read_only_root: bool = False  # a tmpfs on /tmp
    user: str = ""  # in the place of the image's own
    open_files: int = 0  # the most; 0: the engine's
    healthcheck: bool = True  # the image's own is run
    mounted: bool = True  # volumes over what the image holds below /opt/ml
    hide: tuple[str, ...] = ()  # further folders hidden by an empty volume
    read_only: bool = False  # the inputs: the input tree of a training, the model of a server
    # of a training
    hyperparameters: dict[str, object] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    other_channel: bool = False  # one of a name that nobody declared
    content_types: bool = False
    undocumented_keys: bool = False  # in inputdataconfig.json and resourceconfig.json
    feature_files: bool = False  # the config files of features
    platform_files: bool = False  # what real jobs have beside the config files
    warm_cache: bool = False  # the cache directory of a warm pool, with files of earlier jobs
    checkpoint: str = ""  # "", "empty", "file"
    resource_config: bool = True
    wrong_case: bool = False
    data: str = "good"  # "good", "random", "pipes"
    midway: str = ""  # what is done in mid-run: "kill" a child, "stop" it all
    after: float | None = None  # seconds until then, where it does not wait for its data; None: once all stand still
    usual: float = 0.0  # seconds that a good training takes: by then a launcher has come to its work
    patience: float | None = None  # seconds for the whole life, where it should not need as long as training may
    writable: bool = False  # the model and output folders for every user
    owned: bool = False  # the input belongs to the image's own user
    # of a server
    model: str = "given"  # "given", "empty", "used", "file", "damaged"
    thorough: bool = False  # all kinds of invocations, and a life long enough to judge its health
    sources: str = "/opt/ml/additional-model-data-sources"  # where the additional models are mounted
    probing: bool = False  # odd requests instead, some of which may break it
    bodies: tuple[Body, ...] = ()  # malformed ones to be sent in the place of all other odd requests
    bodies_of: int = 0  # the request in whose place they are sent


def train_bare(given: Given, name: str = "train.bare") -> Setup:
    """Everything optional absent; an ordinary network."""
    required = {key: given.hyperparameters[key] for key in given.required_hyperparameters}
    return Setup(
        name=name,
        role=TRAINING,
        conditions=("nothing optional", "ordinary network"),
        hyperparameters=dict(required),
        channels=tuple(name for name, channel in given.channels.items() if channel.required),
    )


def train_full(given: Given) -> Setup:
    """Everything legal present; isolated, no credentials, inputs read-only."""
    return replace(
        train_provided(given, "train.full"),
        conditions=("everything optional", "isolated", "no credentials", "read-only input"),
        network="internal",
        environment=many_variables({**INNOCUOUS, **given.environment}),
        read_only=True,
        checkpoint="empty",
        undocumented_keys=True,
        feature_files=True,
        platform_files=True,
        warm_cache=True,
    )


def train_provided(given: Given, name: str) -> Setup:
    """What the owner declares, on an ordinary network: the ground of the runs that are disturbed or odd."""
    return Setup(
        name=name,
        role=TRAINING,
        environment={**INNOCUOUS, **given.environment},
        hyperparameters=dict(given.hyperparameters),
        channels=tuple(given.channels),
        content_types=True,
    )


def serve_bare(given: Given, name: str = "serve.bare") -> Setup:
    return Setup(
        name=name,
        role=INFERENCE,
        conditions=("nothing optional", "ordinary network"),
        thorough=name == "serve.bare",
        probing=name == "serve.probed",
    )


def serve_full(given: Given) -> Setup:
    return Setup(
        name="serve.full",
        role=INFERENCE,
        conditions=("everything optional", "isolated", "no credentials", "read-only model"),
        network="internal",
        hostname="model.aws.local",
        environment={**INNOCUOUS, **given.serving_environment},
        read_only=True,
        thorough=True,
    )


def strict(setup: Setup) -> Setup:
    """The same with all that an image may bear besides what the platform does to it."""
    hard: dict[str, object] = {}
    for hardship in STRICT.values():
        hard |= hardship
    return replace(setup, conditions=tuple(STRICT), **hard)  # type: ignore[arg-type]


def other_user(setup: Setup) -> Setup:
    """The same as a user and group that the image does not know; outputs are for everybody."""
    return replace(setup, conditions=("another user",), user="12345:12345", writable=True)


def vary(setup: Setup, change: str, given: Given, hidden: tuple[str, ...] = ()) -> Setup:
    """A follow-up: ``setup`` with exactly one change."""
    serving = setup.role == INFERENCE
    environment = given.serving_environment if serving else given.environment
    changed: dict[str, dict[str, object]] = {
        **STRICT,
        changes.ISOLATED: {"network": "internal"},
        changes.NO_NETWORK: {"network": "none"},
        changes.READ_ONLY_INPUT: {"read_only": True},
        changes.READ_ONLY_MODEL: {"read_only": True},
        changes.HYPERPARAMETERS: {"hyperparameters": dict(given.hyperparameters)},
        changes.CONTENT_TYPE: {"content_types": True},
        changes.ENVIRONMENT: {"environment": {**INNOCUOUS, **environment}},
        changes.OPTIONAL_CHANNELS: {"channels": tuple(given.channels)},
        changes.CHECKPOINT_DIRECTORY: {"checkpoint": "empty"},
        changes.MANY_VARIABLES: {"environment": many_variables(setup.environment)},
        changes.UNDOCUMENTED_KEYS: {"undocumented_keys": True},
        changes.FEATURE_FILES: {"feature_files": True},
        changes.PLATFORM_FILES: {"platform_files": True},
        changes.WARM_CACHE: {"warm_cache": True},
        changes.OTHER_CHANNEL: {"other_channel": True},
        changes.HOST_NAME: {"hostname": "model.aws.local"},
        changes.HOST_ALGO_1: {"hostname": "algo-1"},
        changes.USED_MODEL: {"model": "used"},
        changes.BESIDE_THE_MODEL: {"sources": "/opt/ml/model"},
        changes.A_MODEL_FILE: {"model": "file"},
        changes.TERMINAL: {"terminal": True},
        changes.BIG_SHM: {"big_shm": True},
        changes.NO_SECCOMP: {"seccomp": False},
        changes.FUSE_DEVICE: {"devices": ("/dev/fuse",)},
        changes.KVM_DEVICE: {"devices": ("/dev/kvm",)},
        changes.TUN_DEVICE: {"devices": ("/dev/net/tun",)},
        changes.CAPABILITIES: {"capabilities": tuple(CAPABILITIES.split())},
        changes.SYS_ADMIN: {"capabilities": ("SYS_ADMIN",)},
        changes.FUSE: {"capabilities": ("SYS_ADMIN",), "devices": ("/dev/fuse",), "seccomp": False},
        changes.PRIVILEGED: {"privileged": True},
        changes.REGION: {"environment": {**setup.environment, **REGION}},
        changes.PROXY: {"environment": {**setup.environment, **PROXY}},
        changes.CREDENTIALS: {"environment": {**setup.environment, **FAKE_CREDENTIALS}},
        changes.SM_VARIABLES: {"environment": {**setup.environment, **_toolkit_variables(given)}},
        changes.WRONG_CASE: {"wrong_case": True},
        changes.TYPED_HYPERPARAMETERS: {"hyperparameters": typed(given.hyperparameters)},
        changes.NO_RESOURCE_CONFIG: {"resource_config": False},
        changes.A_CHECKPOINT: {"checkpoint": "file"},
        changes.WRITABLE: {"writable": True},
        changes.OWNED: {"owned": True},
        changes.UNMOUNTED: {"mounted": False},
        changes.OWN_COMMAND: {"own_command": True},
        changes.NO_HEALTHCHECK: {"healthcheck": False},
        changes.HIDDEN: {"hide": hidden},
        changes.TRAINED_CONTAINER: {},
        changes.ONCE_MORE: {},
        changes.DAMAGED_MODEL: {"model": "damaged"},
        changes.GOOD_DATA: {"data": "good"},
        changes.PLAIN_VALUES: {"hyperparameters": plain_values(setup.hyperparameters, given.hyperparameters)},
        changes.FEW_KEYS: {"hyperparameters": short_keys(setup.hyperparameters)},
    }
    if change.startswith(changes.ONE_CAPABILITY):
        changed[change] = {"capabilities": (change.removeprefix(changes.ONE_CAPABILITY),)}
    name = f"{setup.name}+{change}"
    return replace(setup, name=name, base=setup.name, change=change, **changed[change])  # type: ignore[arg-type]


def alone(setup: Setup) -> Setup:
    """The same once more, with nothing of ours beside it."""
    return replace(setup, name=setup.name + SUFFIX)


def typed(hyperparameters: dict[str, str]) -> dict[str, object]:
    """The values as numbers and booleans, as a program that forgets to convert them expects."""
    return {key: _typed(value) for key, value in hyperparameters.items()}


def _typed(value: str) -> object:
    for convert in (int, float):
        try:
            return convert(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)


def _toolkit_variables(given: Given) -> dict[str, str]:
    channels = {f"SM_CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in given.channels}
    values = {f"SM_HP_{name.upper()}": value for name, value in given.hyperparameters.items()}
    return {**TOOLKIT_VARIABLES, **channels, **values}
