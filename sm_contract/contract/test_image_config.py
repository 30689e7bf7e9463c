"""The image's configuration: how it is started and stopped, as whom, and what it presets."""

from __future__ import annotations

import posixpath
import re

from sm_contract.contract.programs import CODE, CUDA_LABEL, below, images, preset, shell_form
from sm_contract.record import Record
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, Violation

_TINI = re.compile(r"tini(-static)?(-(amd64|arm64|armel|armhf|i386|ppc64el|ppc64le|s390x))?")
_PLATFORMS = re.compile(  # variables that the platform sets; the switches of the toolkits are the image's to set
    r"TRAINING_JOB_\w+|SAGEMAKER_(BIND_TO_PORT|SAFE_PORT_RANGE|MULTI_MODEL|BATCH|BATCH_STRATEGY|MAX_PAYLOAD_IN_MB"
    r"|MAX_CONCURRENT_TRANSFORMS|MANAGED_WARMPOOL_CACHE_DIRECTORY|METRICS_DIRECTORY)|AWS_CONTAINER_\w+|AWS_EXECUTION_ENV"
    r"|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|WEB_IDENTITY_TOKEN_FILE|ROLE_ARN)"
)
_REGION = re.compile(r"AWS_REGION|AWS_DEFAULT_REGION|AWS_ENDPOINT_URL(_\w+)?")
_PREFIX = "com.amazonaws.sagemaker."
_CAPABILITIES = tuple(
    f"{_PREFIX}capabilities.{name}" for name in ("multi-models", "accept-bind-to-port", "bidirectional-streaming")
)


@requirement("SM-IMAGE-ENTRYPOINT-01")
def test_entrypoint_is_in_exec_form(record: Record) -> None:
    """ENTRYPOINT is a list, not a line for a shell."""
    for image in images(record):
        if line := shell_form(image.entrypoint):
            raise Violation(
                expected="ENTRYPOINT in exec form, a JSON list: the program is the first process and gets SIGTERM",
                observed=f"ENTRYPOINT is a line for {image.entrypoint[0]}: {line!r}; "
                "the shell is the first process, and takes the word `train` or `serve` for itself",
                fix='write it as a list, ENTRYPOINT ["/opt/program/start"], and let a script end with exec … "$@"',
                evidence=[f"image config: ENTRYPOINT {list(image.entrypoint)}"],
            )


@requirement("SM-IMAGE-ENTRYPOINT-02")
def test_tini_is_not_the_entry_program(record: Record) -> None:
    """The entry program is not tini, under whatever name it is linked."""
    for image in images(record):
        if not image.entrypoint:
            continue
        files = [program.file for program in image.programs.values() if program.file is not None]
        paths = (image.entrypoint[0], *(file.real_path for file in files))
        path = next((path for path in paths if _TINI.fullmatch(posixpath.basename(path))), "")
        if path:
            raise Violation(
                expected="an entry program that is not tini, which may take `train` or `serve` for its own argument",
                observed=f"ENTRYPOINT begins with {image.entrypoint[0]!r}"
                + (f", which is {path}" if path != image.entrypoint[0] else ""),
                fix="take it out: let the program itself handle SIGTERM, and reap its children if it starts any",
                evidence=[f"image config: ENTRYPOINT {list(image.entrypoint)}", *files[:1]],
            )


@requirement("SM-IMAGE-USER-01", rests_on=["SM-IMAGE-USER-02"])
def test_default_user_is_root(record: Record) -> None:
    """USER is root, or not set."""
    for image in images(record):
        if image.user_id != 0:
            named = image.user_id is not None and not image.user[:1].isdigit()
            raise Violation(
                expected="root as the default user: hosting expects every container to run as root",
                observed=f"USER is {image.user}{f' (uid {image.user_id})' if named else ''} in {image.reference}",
                fix="end the Dockerfile with USER root; if it has to be another user, waive this and see that "
                "/opt/ml can be read and written by it",
                evidence=[f"image config: USER {image.user!r}"],
            )


@requirement("SM-IMAGE-STOPSIGNAL-01")
def test_stop_signal(record: Record) -> None:
    """STOPSIGNAL is SIGTERM, or not set."""
    for image in images(record):
        signal = image.stop_signal.upper()
        if signal.removeprefix("SIG") not in ("", "TERM", "15"):
            raise Violation(
                expected="STOPSIGNAL unset or SIGTERM: that is what the platform sends",
                observed=f"STOPSIGNAL is {image.stop_signal}: whoever stops the container by `docker stop` sends that",
                fix="take STOPSIGNAL out, and handle SIGTERM",
                evidence=[f"image config: STOPSIGNAL {image.stop_signal}"],
            )


@requirement("SM-IMAGE-VOLUME-01")
def test_no_volume_below_opt_ml(record: Record) -> None:
    """No VOLUME lies at or below /opt/ml."""
    for image in images(record):
        inside = [path for path in image.volumes if below(f"{posixpath.normpath(path)}/", ("/opt/ml",))]
        if inside:
            raise Violation(
                expected="no VOLUME at or below /opt/ml, where the platform mounts",
                observed=f"VOLUME {', '.join(inside)}: where the platform mounts a folder above it, an anonymous "
                "volume lies over what the job reads and keeps what it writes",
                fix=f"take VOLUME {inside[0]} out of the Dockerfile; one that a base image brings cannot be taken back",
                evidence=[f"image config: VOLUME {list(image.volumes)}"],
            )


@requirement("SM-IMAGE-RESERVED-02")
def test_code_may_be_baked_under_opt_ml_code(record: Record) -> None:
    """Files below /opt/ml/code stay in sight: only the platform's own folders are mounted over."""
    if not any(below(file.path, (CODE,)) for image in images(record) for file in image.baked):
        raise NotApplicable(f"it holds nothing below {CODE}")


@requirement("SM-IMAGE-EXPOSE-01")
def test_exposed_ports(record: Record) -> None:
    """EXPOSE names port 8080 alone, if any."""
    for image in images(record):
        others = [port for port in image.exposed if port not in ("8080/tcp", "8080")]
        if others:
            raise Violation(
                expected="EXPOSE 8080, or none: nothing but port 8080 is ever asked",
                observed=f"EXPOSE names {', '.join(image.exposed)}",
                fix=f"take EXPOSE {' '.join(others)} out; it does nothing",
                evidence=[f"image config: EXPOSE {list(image.exposed)}"],
            )


@requirement("SM-IMAGE-ENV-01")
def test_env_presets_nothing_of_the_platforms(record: Record) -> None:
    """ENV sets no variable that the platform sets."""
    for image in images(record):
        if names := preset(image, _PLATFORMS):
            raise Violation(
                expected="variables of the platform left to the platform",
                observed=f"ENV sets {', '.join(names)}: a program that looks for it takes a plain job for another kind",
                fix=f"take ENV {names[0]} out, and read it with a default in the program",
                evidence=[setting for setting in image.env if setting.partition("=")[0] in names],
            )


@requirement("SM-IMAGE-ENV-02")
def test_env_fixes_no_region(record: Record) -> None:
    """ENV sets no AWS Region and no endpoint."""
    for image in images(record):
        if names := preset(image, _REGION):
            raise Violation(
                expected="the AWS Region and its endpoints taken from where the image runs",
                observed=f"ENV sets {', '.join(names)}: in every other Region the image calls the wrong one",
                fix=f"take ENV {names[0]} out; give it as a variable of the job or the model where it is needed",
                evidence=[setting for setting in image.env if setting.partition("=")[0] in names],
            )


@requirement("SM-IMAGE-LABEL-01")
def test_sagemaker_labels(record: Record) -> None:
    """Labels of SageMaker are known ones, and capabilities are `true` or `false`."""
    for image in images(record):
        for label, value in image.labels.items():
            if not label.lower().startswith(_PREFIX):
                continue
            if label not in (*_CAPABILITIES, CUDA_LABEL):
                raise Violation(
                    expected=f"labels below {_PREFIX} spelled as documented",
                    observed=f"LABEL {label} is none that SageMaker knows",
                    fix=f"spell it as one of {', '.join(_CAPABILITIES)}, or take it out",
                    evidence=[f"image config: LABEL {label}={value}"],
                )
            if label in _CAPABILITIES and value not in ("true", "false"):
                raise Violation(
                    expected=f"LABEL {label}=true, in lower case",
                    observed=f"LABEL {label} is {value!r}",
                    fix=f"write LABEL {label}=true",
                    evidence=[f"image config: LABEL {label}={value}"],
                )
