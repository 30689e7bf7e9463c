# ruff: noqa: E501  # sentences are held whole
"""What a tired engineer reads, held to the letter: by id, of its first mutation, what was observed and the fix."""

from __future__ import annotations

from mutations.texts_answers import TEXTS as _ANSWERS
from mutations.texts_health import TEXTS as _HEALTH
from mutations.texts_reaching import TEXTS as _REACHING
from mutations.texts_rights import TEXTS as _RIGHTS

TEXTS = {
    "SM-IMAGE-OS-01": (
        "registry.example/team/linear:1.4 is built for windows/amd64",
        "build it from a Linux base image: docker build --platform linux/amd64 …",
    ),
    "SM-IMAGE-ARCH-01": (
        "registry.example/team/linear:1.4 is built for linux/arm64",
        'build it with docker build --platform linux/amd64 …; if its instances really are arm64, declare architecture = "arm64" in sm-contract.toml',
    ),
    "SM-IMAGE-ARCH-02": (
        "/usr/bin/python3.11 is built for arm64, and registry.example/team/linear:1.4 claims to be for amd64",
        "copy in the amd64 build of that binary, or build the whole image for one platform",
    ),
    "SM-IMAGE-SCRIPT-01": (
        "/opt/program/train has mode 0644: no execute bit",
        "RUN chmod +x /opt/program/train in the Dockerfile",
    ),
    "SM-IMAGE-WORKDIR-01": (
        "WORKDIR /opt/ml/model/code lies in a directory that the platform mounts over: what the image has there is hidden",
        "set WORKDIR to a directory of the image such as /opt/program; give ENTRYPOINT an absolute path",
    ),
    "SM-IMAGE-USER-02": (
        "USER names 'svc', and /etc/passwd has no such user",
        "add it before USER (RUN useradd …, RUN groupadd …), or leave USER out: hosting expects root",
    ),
    "SM-IMAGE-REFERENCE-03": (
        "registry.example/nested/nested/nested/nested/nested/nested/n… has 263 characters",
        "push it under a shorter repository path or tag",
    ),
    "SM-IMAGE-RESERVED-01": (
        "with the platform's mounts `serve` exited with 1 after 0.4 s (serve.bare), and without them it works; the mounts hide /opt/ml/model/weights.bin",
        "copy those files elsewhere, such as to /opt/program, and read them from there",
    ),
    "SM-IMAGE-CMD-01": (
        "with CMD ['/opt/program/train.py'] it works, with `train` it exited with 2 after 0.8 s",
        "move the command into ENTRYPOINT and let it take `train` as its argument, or put an executable named `train` on PATH and leave ENTRYPOINT out",
    ),
    "SM-IMAGE-ARGUMENT-01": (
        "`train` exited with 2 after 0.8 s: the program was started and refused its argument (train.bare)",
        'let the entry program accept `train`, or put a small script in front of it as ENTRYPOINT that drops the word: exec supervisord -n  (without "$@")',
    ),
    "SM-IMAGE-ENTRYPOINT-01": (
        "ENTRYPOINT is a line for /bin/sh: 'python3 /opt/program/serve.py'; the shell is the first process, and takes the word `train` or `serve` for itself",
        'write it as a list, ENTRYPOINT ["/opt/program/start"], and let a script end with exec … "$@"',
    ),
    "SM-IMAGE-ENTRYPOINT-02": (
        "ENTRYPOINT begins with 'tini'",
        "take it out: let the program itself handle SIGTERM, and reap its children if it starts any",
    ),
    "SM-IMAGE-USER-01": (
        "USER is app (uid 1000) in registry.example/team/linear:1.4",
        "end the Dockerfile with USER root; if it has to be another user, waive this and see that /opt/ml can be read and written by it",
    ),
    "SM-IMAGE-STOPSIGNAL-01": (
        "STOPSIGNAL is SIGINT: whoever stops the container by `docker stop` sends that",
        "take STOPSIGNAL out, and handle SIGTERM",
    ),
    "SM-IMAGE-VOLUME-01": (
        "VOLUME /opt/ml/model: where the platform mounts a folder above it, an anonymous volume lies over what the job reads and keeps what it writes",
        "take VOLUME /opt/ml/model out of the Dockerfile; one that a base image brings cannot be taken back",
    ),
    "SM-IMAGE-EXPOSE-01": ("EXPOSE names 5000/tcp", "take EXPOSE 5000/tcp out; it does nothing"),
    "SM-IMAGE-HEALTHCHECK-01": (
        "`serve` exited with 0 after 0.4 s (serve.bare), and without its HEALTHCHECK it works",
        "take HEALTHCHECK out, or let its command do nothing but exit 1",
    ),
    "SM-IMAGE-ENV-01": (
        "ENV sets SAGEMAKER_BIND_TO_PORT: a program that looks for it takes a plain job for another kind",
        "take ENV SAGEMAKER_BIND_TO_PORT out, and read it with a default in the program",
    ),
    "SM-IMAGE-ENV-02": (
        "ENV sets AWS_DEFAULT_REGION: in every other Region the image calls the wrong one",
        "take ENV AWS_DEFAULT_REGION out; give it as a variable of the job or the model where it is needed",
    ),
    "SM-IMAGE-LABEL-01": (
        "LABEL com.amazonaws.sagemaker.capabilities.multi-models is 'True'",
        "write LABEL com.amazonaws.sagemaker.capabilities.multi-models=true",
    ),
    "SM-IMAGE-LOG-01": (
        "`train` exited with 0 after 1.4 s (train.bare), and wrote nothing to either",
        "log to stderr instead of a file (logging.StreamHandler), or link the log file to /dev/stderr",
    ),
    "SM-INFER-RUN-10": (
        "the first line of /opt/program/serve ends in CR LF: the kernel takes the CR for a part of '#!/bin/sh\\\\r'",
        "RUN sed -i 's/\\r$//' /opt/program/serve: it has Windows line ends (*.sh text eol=lf in .gitattributes keeps them out)",
    ),
    "SM-PRIV-FILECAP-01": (
        "/usr/bin/python3.11 carries the file capabilities SYS_PTRACE, and starting `serve` of registry.example/team/linear:1.4 executes it",
        "RUN setcap -r /usr/bin/python3.11 in the Dockerfile, or copy the file (a copy has none)",
    ),
    "SM-IMAGE-SIZE-01": (
        "registry.example/team/linear:1.4 has 200.0 MB unpacked",
        "leave out what it does not need at run time (docker history shows which line brings how much), or declare a bigger max_image_size",
    ),
    "SM-IMAGE-LAYERS-01": (
        "registry.example/team/linear:1.4 has 130 layers",
        "join RUN lines with &&, or copy the result into a fresh stage: FROM …, COPY --from=…",
    ),
    "SM-IMAGE-LAYERS-02": (
        "layer 2 of registry.example/team/linear:1.4 has 52,001 MiB",
        "split the COPY or RUN that makes it, or give big files as a model or a channel",
    ),
    "SM-IMAGE-MANIFEST-01": (
        "registry.example/team/linear:1.4 leads to application/vnd.oci.image.manifest.v1+json; CreateModel was seen to refuse it",
        "build it for one platform with Docker's media types: docker buildx build --provenance=false --sbom=false --output type=registry,oci-mediatypes=false …",
    ),
    "SM-IMAGE-MANIFEST-02": (
        "1 attestation manifest(s) (platform unknown/unknown) ride on registry.example/team/linear:1.4",
        "switch them off: docker buildx build --provenance=false --sbom=false --output type=registry,oci-mediatypes=false …",
    ),
    "SM-IMAGE-MANIFEST-03": (
        "that of registry.example/team/linear:1.4 is of schema 1 (application/vnd.docker.distribution.manifest.v1+prettyjws)",
        "pull it and push it again with a docker client since 1.10",
    ),
    "SM-IMAGE-MANIFEST-04": (
        "the manifest of registry.example/team/linear:1.4 has 5,000,000 characters",
        "drop annotations from the build (--annotation), and layers if there are very many",
    ),
    "SM-IMAGE-COMPRESSION-02": (
        "layer 2 of 2 of registry.example/team/linear:1.4 is application/vnd.docker.image.rootfs.diff.tar.zstd",
        "build it with compression=gzip: docker buildx build --output type=registry,compression=gzip …",
    ),
    "SM-IMAGE-REFERENCE-01": (
        "the repository of My_Repo:1 is 'My_Repo' (7 characters)",
        "tag it under another name: docker tag My_Repo:1 team/my-repo",
    ),
    "SM-IMAGE-REFERENCE-02": (
        "the tag of team/linear:1.4+build7 is '1.4+build7' (10 characters)",
        "tag it anew: 1.4-build7",
    ),
    "SM-IMAGE-REFERENCE-04": (
        "registry.example/team/linear:latest is whatever was tagged last",
        "tag each build, and judge and deploy that one: registry.example/team/linear:1.0",
    ),
    "SM-IMAGE-GPU-01": (
        "registry.example/team/linear:1.4 holds /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15",
        "leave driver packages out (nvidia-driver-*, libnvidia-compute-*, nvidia-utils-*): the CUDA toolkit's packages are enough, such as cuda-libraries-12-4",
    ),
    "SM-IMAGE-GPU-02": (
        "there is none in registry.example/team/linear:1.4, though it is meant for GPUs (ENV CUDA_VERSION=12.4.1)",
        "build it from nvidia/cuda:…-runtime, or install the framework with its CUDA packages; if it needs no GPU, take those settings out",
    ),
    "SM-IMAGE-GPU-03": (
        "registry.example/team/linear:1.4 holds /usr/local/cuda-12.4/compat, and its entry point does not speak of it",
        "in the entry script compare the driver's version (/proc/driver/nvidia/version) with the one the folder is for (its libcuda.so.*), and only if it is older: export LD_LIBRARY_PATH=/usr/local/cuda-12.4/compat:$LD_LIBRARY_PATH; or remove the package cuda-compat",
    ),
    "SM-INFER-GPU-03": (
        "registry.example/team/linear:1.4 uses them everywhere, under a newer driver too: ENV LD_LIBRARY_PATH=/usr/local/cuda/compat:/usr/local/lib",
        "take that out; in the entry script compare the driver's version (/proc/driver/nvidia/version) with the one the folder is for (its libcuda.so.*), and only if it is older: export LD_LIBRARY_PATH=/usr/local/cuda-12.4/compat:$LD_LIBRARY_PATH",
    ),
    "SM-IMAGE-LABEL-02": (
        "LABEL com.amazonaws.sagemaker.inference.cuda.verified_versions is 'latest'",
        "list the versions the image was tried with: LABEL com.amazonaws.sagemaker.inference.cuda.verified_versions=12.4",
    ),
    "SM-PRIV-CAPABILITY-01": (
        "`train` exited with 1 after 0.8 s (train.bare); with every further capability but SYS_ADMIN it works",
        "leave out what needs it (network set-up, scheduling, tracing, the clock), or let it fail softly",
    ),
    "SM-PRIV-MOUNT-01": (
        "`train` exited with 1 after 0.8 s (train.bare); with /dev/fuse, SYS_ADMIN and no seccomp filter it works",
        "read the data from a channel or download it; do not mount a bucket (s3fs, mount-s3) at run time",
    ),
    "SM-PRIV-PRIVILEGED-01": (
        "`train` exited with 1 after 0.8 s (train.bare); with the capability SYS_ADMIN it works",
        "leave out what needs it (mount, sysctl, kernel modules, devices) or do it when the image is built",
    ),
    "SM-PRIV-TERMINAL-01": (
        "`train` exited with 1 after 0.8 s (train.bare); with a terminal and standard input it works",
        "ask nothing at start (input(), read); take answers from hyperparameters or variables",
    ),
    "SM-OFFLINE-CREDENTIALS-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare) for want of AWS credentials",
        "make no AWS call at run time: take data from channels, the model from /opt/ml/model, and what else boto3 fetches (STS, S3, a secret) from the image or from variables",
    ),
    "SM-OFFLINE-DROP-01": (
        "on a network that drops packets: not healthy within 480 s (serve.bare+isolated@alone); with no network at all, where connections fail at once, it works",
        "give every connection attempt a short time-out (1 s to 2 s) and few retries, or make none: the first failure is answer enough",
    ),
    "SM-TRAIN-NET-01": (
        "without a way out `train` exited with 1 after 0.8 s (train.bare+isolated); on an open network it trains",
        "put into the image whatever `train` downloads (weights, data sets, packages, tokenizers)",
    ),
    "SM-INFER-ISO-01": (
        "without a way out: `serve` exited with 1 after 0.4 s (serve.bare+isolated); on an open network it is healthy",
        "put into the image or the model archive whatever is fetched at start (weights, tokenizer, licence)",
    ),
    "SM-OFFLINE-INVOKE-01": (
        "request 0 (text/csv): status 500 without a way out (serve.full); status 200 on an open network, '{\"predictions\": [0.5]}'",
        "answer from what is in the image and the model; call no feature store or other service in /invocations",
    ),
    "SM-TRAIN-RUN-01": (
        "`train` could not be started (train.bare)",
        "put an executable `train` on PATH, or name the program in ENTRYPOINT so that it takes `train`",
    ),
    "SM-TRAIN-RUN-06": (
        "`train` still ran after 61.4 s, though its model was saved and no processor time was used any more for 60 s (train.bare@alone)",
        "end the program after the model is saved: no sleep, no server in the foreground, and no child process that it waits for",
    ),
    "SM-TRAIN-FS-01": (
        "with empty volumes over them `train` exited with 1 after 0.8 s (train.bare+hidden folders); the image holds /opt/ml/assets/vocabulary.txt",
        "copy those files elsewhere, such as to /opt/program: /opt/ml is the platform's",
    ),
    "SM-TRAIN-FS-04": (
        "from a fresh container `serve` exited with 1 after 0.4 s (serve.bare); from the container that trained it works",
        "save what serving needs (encoders, labels, settings) below /opt/ml/model, beside the model",
    ),
    "SM-TRAIN-ENV-01": (
        "`train` exited with 1 after 0.8 s (train.bare), missing SM_MODEL_DIR",
        "read /opt/ml/input/config and the fixed paths instead of SM_MODEL_DIR, give the variable a default in ENV, or install the training toolkit that sets it",
    ),
    "SM-TRAIN-ENV-02": (
        "without variables `train` exited with 1 after 0.8 s (train.bare); with MODEL_BUCKET it trains",
        "give each variable a default in the code or by ENV in the Dockerfile, or make it a hyperparameter",
    ),
    "SM-TRAIN-CFG-01": (
        "`train` exited with 1 after 0.8 s (train.bare); with copies under wrong names (resourceConfig.json and the like) it trains",
        "spell the names below /opt/ml/input/config in lower case throughout",
    ),
    "SM-TRAIN-CFG-02": (
        "`train` exited with 1 after 0.8 s (train.bare+hyperparameters); with numbers instead of strings it trains",
        'convert each value in the program, such as int(hp["epochs"]) or float(hp["rate"])',
    ),
    "SM-TRAIN-CFG-03": (
        "with {} `train` exited with 1 after 0.8 s (train.bare); with all declared hyperparameters it trains",
        'give each hyperparameter a default, such as hp.get("epochs", "3"), or declare required_hyperparameters = ["…"] in sm-contract.toml and in the algorithm resource',
    ),
    "SM-TRAIN-CFG-07": (
        "without ContentType `train` exited with 1 after 0.8 s (train.bare); with it, it trains",
        'read it with a default: channel.get("ContentType", "text/csv"); a job need not name it',
    ),
    "SM-TRAIN-CFG-12": (
        "`train` was still running after 3600.0 s, when it was ended by force (train.bare); without resourceconfig.json it trains",
        'start peer discovery only if len(config["hosts"]) > 1: the file is there in every job',
    ),
    "SM-TRAIN-CKPT-03": (
        "with /opt/ml/checkpoints empty `train` exited with 1 after 0.8 s (train.bare+checkpoint directory); without it it trains",
        "resume only if the directory exists and holds a checkpoint; a first job has neither",
    ),
    "SM-TRAIN-DATA-03": (
        "without the channel 'training' `train` exited with 0 after 0.8 s (train.missing_channel)",
        "check at start that /opt/ml/input/data/training is there and holds files: write /opt/ml/output/failure and exit with 1 if not; or declare the channel required = false",
    ),
    "SM-TRAIN-DATA-04": (
        "without them `train` exited with 1 after 0.8 s (train.bare); with them it trains",
        "look whether /opt/ml/input/data/validation exists before it is opened, or declare the channel required = true",
    ),
    "SM-TRAIN-OUT-01": (
        "`train` exited with 0 after 1.4 s (train.bare), and /opt/ml/model holds no file; /opt/ml/output holds model/model.json",
        "save the model below /opt/ml/model: nothing else becomes model.tar.gz",
    ),
    "SM-TRAIN-FAIL-01": (
        "`train` exited with 5 after 1.4 s (train.bare), with its model saved (model.json), no failure file and no error in the log",
        "end the program with sys.exit(0), or return nothing from main(): the job counts as failed otherwise",
    ),
    "SM-TRAIN-FAIL-02": (
        "with epochs='minus one' `train` exited with 0 after 0.8 s (train.bad_hyperparameter)",
        "let the error end the program with a code other than 0: no bare except around main, and `set -o pipefail` where a script pipes the trainer into tee",
    ),
    "SM-TRAIN-FAIL-03": (
        "with random bytes in the channel files `train` exited with 0 after 0.8 s (train.bad_data)",
        "count what could be read: if nothing is left, write /opt/ml/output/failure and exit with 1",
    ),
    "SM-TRAIN-FAIL-08": (
        "killed at 1.9 s by SIGKILL, and `train` exited with 0 after 0.8 s (train.killed_child)",
        "start the trainer with exec, or hand its exit code on (exit $?); no supervisor that restarts it",
    ),
    "SM-INFER-RUN-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare), before it was healthy",
        "run docker run IMAGE serve with the model in place and mend what the log shows; where ENTRYPOINT is a script, let it know the word `serve`",
    ),
    "SM-INFER-RUN-02": (
        "no `serve` in /usr/local/bin, /usr/bin",
        "copy `serve` to /usr/local/bin, or add its folder to PATH (ENV PATH=/opt/program:$PATH)",
    ),
    "SM-INFER-RUN-03": (
        "`serve` exited with 0 after 0.4 s (serve.bare), before it was healthy",
        "keep the server in the foreground: end the entry script with `exec gunicorn …`, start nothing with &",
    ),
    "SM-INFER-RUN-11": (
        "after one life with the same /opt/ml/model, `serve` exited with 1 after 0.4 s (serve.bare+used model)",
        "write no lock, cache or converted copy into /opt/ml/model; use /tmp, which is new in each container",
    ),
    "SM-INFER-ENV-01": (
        "with the host name model.aws.local it exited with 1 after 0.4 s (serve.bare+host name); without the host name model.aws.local it works",
        "do not parse the host name, and read only variables of your own, each with a default",
    ),
    "SM-INFER-NET-01": (
        "connection refused on port 8080 from outside, and the container listens on 127.0.0.1:8080",
        "bind the server to 0.0.0.0 instead of 127.0.0.1",
    ),
    "SM-INFER-NET-02": (
        "1031 ms to connect at 2.0 s, while invocations were open (1 late in serve.bare@alone)",
        "give the listening socket a longer backlog (gunicorn --backlog 2048, request_queue_size = 128) and a thread that accepts while others work",
    ),
    "SM-INFER-NET-04": (
        'port 8080 takes the connection, and the request is answered with "\\x15\\x03\\x01\\x00\\x02\\x02\\x46" (serve.bare)',
        "serve plain HTTP on 8080: no certificate, no TLS; the platform ends TLS before the container",
    ),
    "SM-INFER-PING-01": (
        "status 404 for each GET /ping until 480 s were over (serve.bare)",
        "register the route as exactly /ping",
    ),
    "SM-INFER-PING-02": (
        "3.02 s for the ping at 4.8 s: status 200 (1 of 31 pings late in serve.bare@alone)",
        "answer /ping from a cheap handler: no test prediction, no lock, no call to anything else",
    ),
    "SM-INFER-PING-03": (
        "connection refused when the time was over; nothing in the container listens (serve.bare@alone)",
        "load less before the server listens, or load faster; where the model needs its time, raise ContainerStartupHealthCheckTimeoutInSeconds of the endpoint",
    ),
    "SM-INFER-PING-04": (
        "status 500 for the ping at 5.0 s: 1 of 16 idle pings failed (serve.bare)",
        "let /ping return 200 as long as the server can work, with no state in it that changes by itself",
    ),
    "SM-INFER-PING-08": (
        "status 200 after 4.20 s for the ping at 1.0 s, with invocations open (12 of 12 such pings late or failed in serve.bare@alone); idle ones are fine",
        "answer /ping from a thread or worker that no invocation can hold: gunicorn --threads 2, more workers, or prediction in a pool of its own",
    ),
    "SM-INFER-INVOKE-01": (
        "status 404 for request 0 (text/csv), and no request got a 2xx (serve.bare)",
        "register the route as exactly /invocations, for POST",
    ),
    "SM-INFER-INVOKE-02": (
        "61.3 s for request 2 (application/octet-stream): status 200 (serve.bare@alone)",
        "make the prediction faster or the batch smaller; what takes longer belongs into an asynchronous endpoint or a batch job",
    ),
    "SM-INFER-INVOKE-03": (
        "status 400 with extra headers, '{\"predictions\": [0.5]}' (serve.bare)",
        "read the headers you know (Content-Type, Accept, X-Amzn-SageMaker-Custom-Attributes) and ignore all others; the platform adds some of its own",
    ),
    "SM-INFER-INVOKE-04": (
        "status 401 with these, status 200 with Authorization, X-Api-Key, User-Agent and Cookie (serve.bare)",
        "ask for no key, token or cookie in the container: SageMaker checks the caller and strips such headers",
    ),
    "SM-INFER-INVOKE-05": (
        "status 500 for request 2 (application/octet-stream); request 0 (text/csv) is answered with 200",
        "read the raw bytes of the body and choose the reader by Content-Type; do not decode a binary body as UTF-8",
    ),
    "SM-INFER-INVOKE-08": (
        "status 500 with them, 2xx without (serve.bare)",
        "take the header as an opaque string: ignore what you cannot parse, and allow headers of 1 KB",
    ),
    "SM-INFER-INVOKE-09": (
        '5013 characters, beginning with \'{"debug": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\'',
        "put only a short ASCII string there (an id, a version); longer things belong into the body",
    ),
    "SM-INFER-MODEL-01": (
        "healthy, and the same answer to request 0 with the folder empty: '{\"predictions\": [0.5]}'",
        "load the model from /opt/ml/model at start, not from a path of the build",
    ),
    "SM-INFER-MODEL-02": (
        "with the folder read-only it exited with 1 after 0.4 s (serve.bare+read-only model); writable, it works",
        "write caches, locks and converted models to /tmp, never next to the model",
    ),
    "SM-INFER-MODEL-03": (
        "with the folder empty it exited with 2 after 0.4 s (serve.bare); with any file in it, it works",
        "do not require a file below /opt/ml/model: no ls /opt/ml/model/* under set -e",
    ),
    "SM-INFER-MODEL-04": ("model.tar.gz is a zip file", "pack it with tar -czf model.tar.gz -C model ."),
    "SM-INFER-MODEL-05": (
        "symbolic links in it: 1, such as latest -> v3",
        "pack the files the links lead to: tar -czhf model.tar.gz -C model .",
    ),
    "SM-INFER-MODEL-06": (
        "'v1/wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww'…: a name of 300 bytes",
        "rename it in the model folder and in the prefix in S3",
    ),
    "SM-INFER-MODEL-07": (
        "there it exited with 1 after 0.4 s (serve.bare); below /opt/ml/model it works",
        "read /opt/ml/additional-model-data-sources/draft",
    ),
    "SM-INFER-STOP-01": (
        "the listener on port 8080 was still there 30 s after SIGTERM, with the signal's default action: the first process never passed it on (serve.bare@alone)",
        "start the server with exec, so that it is the first process (exec gunicorn …), or pass it on: trap 'kill -TERM $pid' TERM",
    ),
    "SM-TRAIN-FS-03": (
        "with /opt/ml/input read-only `train` exited with 1 after 0.8 s (train.bare+read-only input); writable, it trains",
        "unpack, convert and index in /tmp, never in place below /opt/ml/input",
    ),
    "SM-TRAIN-ENV-03": (
        "with 100 variables `train` exited with 1 after 0.8 s (train.bare+100 variables); without them it trains",
        "take single variables by name (os.environ), and never read the output of env or set as text: a value may hold line breaks, quotes and spaces",
    ),
    "SM-TRAIN-WARM-01": (
        "with a used cache directory `train` exited with 1 after 0.8 s (train.bare+warm pool cache); without one it trains",
        "keep what is cached under names of your own, and make it anew where it is not what it should be: the directory is shared with all earlier jobs of the warm pool",
    ),
    "SM-TRAIN-CFG-05": (
        "a shell ran the hyperparameter value '$(:>/opt/ml/output/data/sm-contract-ran-0)' (train.odd)",
        'hand values over as arguments of their own (subprocess.run([…]), exec "$@"), never as part of a command line: no shell=True, no eval',
    ),
    "SM-TRAIN-CFG-06": (
        "with so many `train` exited with 134 (SIGABRT) after 1.4 s (train.odd+plain values)",
        "assume nothing of the number and the length of names: no fixed buffer, no variable and no option of a command line for each",
    ),
    "SM-TRAIN-CFG-08": (
        "with further keys in the two files `train` exited with 1 after 0.8 s (train.bare+undocumented keys); with the documented ones alone it trains",
        "read the keys you know and ignore all others: no additionalProperties: false, no Channel(**entry)",
    ),
    "SM-TRAIN-CFG-09": (
        "with the three documented keys of resourceconfig.json `train` exited with 1 after 0.8 s (train.bare); with those of real jobs it trains",
        'read any other key with a default: config.get("instance_groups", [])',
    ),
    "SM-TRAIN-CFG-10": (
        "without the config files of features `train` exited with 1 after 0.8 s (train.bare); with them it trains",
        "look whether the file exists before it is opened, and take the feature for off if it does not",
    ),
    "SM-TRAIN-CFG-11": (
        "with such files in /opt/ml/input/config `train` exited with 1 after 0.8 s (train.bare+undocumented files); without them it trains",
        "open hyperparameters.json, inputdataconfig.json and resourceconfig.json by name, and nothing else in /opt/ml/input/config: no glob over *.json",
    ),
    "SM-TRAIN-DATA-10": (
        "without any channel `train` exited with 1 after 0.8 s (train.bare); with one that it cannot know it trains",
        "take an empty map of channels for what it is: none is required",
    ),
    "SM-TRAIN-USER-01": (
        "as USER 1000 `train` exited with 1 after 0.8 s (train.bare); with folders that everybody may write to it trains",
        "leave USER out of the Dockerfile; or start as root, chown /opt/ml/model and /opt/ml/output, and drop the rights after that",
    ),
    "SM-PRIV-READ-01": (
        "as USER 1000 `train` exited with 1 after 0.8 s (train.bare+writable folders); with files of its own it works",
        "look whether a file can be read (os.access), not whose it is: the platform's agent is root",
    ),
    "SM-TRAIN-NET-04": (
        "with a way out `train` exited with 0 after 1.4 s (train.bare) and /opt/ml/model is empty; without one `train` exited with 1 after 0.8 s (train.bare+isolated)",
        "leave the model in /opt/ml/model and upload nothing: the platform does, with rights of its own",
    ),
    "SM-TRAIN-FS-02": (
        "48.0 MB of them after train.bare: /root/data/train.bin (48.0 MB)",
        "write big temporary files to /tmp (the default of tempfile, TMPDIR=/tmp): the disk under system and home folders is small",
    ),
    "SM-TRAIN-OUT-02": (
        "no plots/*.png below /opt/ml/output/data (train.full); it holds report.json; /opt/ml/model/plots/loss.png looks like it",
        "write it to /opt/ml/output/data/plots/*.png: other folders go with the container",
    ),
    "SM-TRAIN-OUT-03": (
        "/opt/ml/output/metrics.json (1200 bytes) after train.bare: it is not kept",
        "write it to /opt/ml/output/data/metrics.json, which becomes output.tar.gz",
    ),
    "SM-TRAIN-OUT-04": (
        "/opt/ml/model/weights.bin is a link to /opt/program/weights.bin, which is not in the archive (train.bare)",
        "copy what it stands for to its place (shutil.copyfile, cp -L), and make pipes and sockets in /tmp",
    ),
    "SM-TRAIN-OUT-07": (
        "without the empty folders (ready) `serve` exited with 1 after 0.4 s (serve.uncompressed)",
        "put a small file into a folder that means something, or make the folder when it is missing",
    ),
    "SM-TRAIN-FAIL-04": (
        "`train` exited with 1 after 0.8 s (train.bad_hyperparameter), and there is no /opt/ml/output/failure; /opt/ml/output holds error.txt",
        "catch what ends the program in one place, write str(error) to /opt/ml/output/failure as UTF-8, exit with 1",
    ),
    "SM-TRAIN-FAIL-05": (
        'its first 1,024 characters name no error and begin with \'{"epochs": "minus one", "layers": [64, 32], "path": "/opt/ml\'; \'ValueError: epochs\' comes after them (train.bad_hyperparameter)',
        "write the error first (type and message), and the traceback and all else behind it",
    ),
    "SM-TRAIN-FAIL-06": (
        "/opt/ml/output/failure was written 5.0 s before the last line of the log, 'uploading the profile' (train.bad_hyperparameter)",
        "write the file as the last thing before the program ends: the platform may read it as soon as it is there",
    ),
    "SM-TRAIN-FAIL-07": (
        "`train` exited with 0 after 1.4 s (train.bare) and left /opt/ml/output/failure (1200 bytes)",
        "make the file when there is a failure to describe, and not at the start",
    ),
    "SM-TRAIN-STOP-01": (
        "python3 train.py was still there 3 s after SIGTERM: the first process has no handler, and the kernel drops the signal then (train.stopped)",
        "start the trainer with exec, so that it is the first process (exec python train.py), or pass it on and wait: trap 'kill -TERM $pid' TERM; where a launcher that you cannot change starts it, to all: trap 'trap \"\" TERM; kill -TERM -1' TERM",
    ),
    "SM-TRAIN-STOP-02": (
        "python3 train.py has no handler for SIGTERM, and the kernel drops it for a first process without one; it had to be killed (train.stopped)",
        "install a handler before the data is read (signal.signal(signal.SIGTERM, …)), and let it end the program at the next step, with what there is of the model saved",
    ),
    "SM-TRAIN-STOP-03": (
        "it ended 0.1 s after SIGTERM, and /opt/ml/model holds no file (train.stopped)",
        "save the model in the handler of SIGTERM, or leave the loop on it and save as after the last epoch; and let the first process wait for the trainer: what ends first takes it along",
    ),
    "SM-TRAIN-LOG-02": (
        "not a line until SIGTERM at 2.0 s (train.stopped); with a terminal, where lines are not held back, 'reading 90 rows' came before that",
        "ENV PYTHONUNBUFFERED=1 (or python -u, print(…, flush=True)); stdbuf -oL for other programs",
    ),
}
TEXTS |= _ANSWERS | _HEALTH | _REACHING | _RIGHTS
