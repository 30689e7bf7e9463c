"""The single changes a follow-up makes to a first run, so that a broken requirement gets its name.

The *bare* run has everything optional absent and an ordinary network; the *full* run everything legal
present, isolated, inputs read-only. A follow-up is a bare run with exactly one of these changes.
"""

from __future__ import annotations

# what the full run has and the bare run has not: added to a bare run that went well, it breaks it (the
# image cannot bear it), or added to one that failed, it mends it (the image cannot do without)
ISOLATED = "isolated"  # an internal network: packets to the outside are dropped
NO_NETWORK = "no network"  # no interface but loopback: connections fail at once
READ_ONLY_INPUT = "read-only input"
HYPERPARAMETERS = "hyperparameters"  # the declared ones, as strings
CONTENT_TYPE = "content type"  # the key ContentType of each channel
ENVIRONMENT = "environment"  # the user's variables
OPTIONAL_CHANNELS = "optional channels"
CHECKPOINT_DIRECTORY = "checkpoint directory"  # an empty one
MANY_VARIABLES = "100 variables"  # among them one of 512 characters, with a line break and quotes
UNDOCUMENTED_KEYS = "undocumented keys"  # those of real jobs and a made-up one, in two of the config files
FEATURE_FILES = "feature files"  # the config files of features, as if they were on
PLATFORM_FILES = "undocumented files"  # what real jobs have beside the config files
WARM_CACHE = "warm pool cache"  # with files of earlier jobs
OTHER_CHANNEL = "another channel"  # of a name that nobody declared
READ_ONLY_MODEL = "read-only model"
HOST_NAME = "host name"  # model.aws.local
USED_MODEL = "used model"  # the model volume of an earlier life

# hardships that it may bear as well, all at once in a run of their own, and one by one where that goes wrong
NO_CAPABILITIES = "no capabilities"  # and no-new-privileges
READ_ONLY_ROOT = "read-only root"  # a tmpfs on /tmp
FEW_FILES = "1,024 open files"

# what the platform never grants: where a bare run fails, the one grant that mends it names the cause
TERMINAL = "terminal"  # tty and standard input
BIG_SHM = "big shared memory"  # /dev/shm as big as the container's memory, not 64 MB
NO_SECCOMP = "no seccomp filter"
FUSE_DEVICE = "device fuse"  # that alone; of devices only those are given that do the machine no harm
KVM_DEVICE = "device kvm"
TUN_DEVICE = "device net-tun"
CAPABILITIES = "capabilities"  # all but SYS_ADMIN, default seccomp
ONE_CAPABILITY = "capability "  # and its name: that one alone
SYS_ADMIN = "SYS_ADMIN"  # that capability alone
FUSE = "fuse"  # SYS_ADMIN, /dev/fuse, no seccomp filter: mounts and namespaces
PRIVILEGED = "privileged"
REGION = "Region"  # AWS_REGION and AWS_DEFAULT_REGION
PROXY = "proxy"  # the variables of one that is not there
CREDENTIALS = "credentials"  # AWS_ACCESS_KEY_ID and its like, made up
SM_VARIABLES = "SM_ variables"  # what the training toolkit would set
WRONG_CASE = "wrong-case config"  # resourceConfig.json and its like beside the right names
TYPED_HYPERPARAMETERS = "typed hyperparameters"  # numbers and booleans instead of strings
NO_RESOURCE_CONFIG = "no resourceconfig.json"
A_CHECKPOINT = "a checkpoint"  # the checkpoint directory holds a file
HOST_ALGO_1 = "host name algo-1"
BESIDE_THE_MODEL = "additional models below the model"  # in the place of their own
A_MODEL_FILE = "a model file"  # the model folder holds a file, though the image has its model inside
WRITABLE = "writable folders"  # the job's folders belong to everybody, not to root alone
OWNED = "input of its own"  # the input files belong to the image's user, not to root
UNMOUNTED = "unmounted"  # nothing mounted over what the image holds below /opt/ml
TRAINED_CONTAINER = "trained container"  # served from the container that trained, not from a fresh one
OWN_COMMAND = "own command"  # the image's own CMD instead of the word
NO_HEALTHCHECK = "no HEALTHCHECK"  # the image's own is not run
GOOD_DATA = "good data"  # of a run that is disturbed midway: the owner's files in place of pipes
PLAIN_VALUES = "plain values"  # of the odd run: as many long keys, each with "1"
SOME_VALUES = "odd values "  # and the names of the first and the last: none but these
ONCE_MORE = "once more"  # nothing: the same, to see whether it goes wrong again
DAMAGED_MODEL = "damaged model"  # of the run without a model: noise in its files
SMALLER_BODY = "smaller body "  # and the turn: parts of the malformed one that did harm
FEW_KEYS = "short keys"  # of the odd run: the same values under few short keys
HIDDEN = "hidden folders"  # an empty volume over each other folder the image holds below /opt/ml
