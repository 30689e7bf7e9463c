"""The files below /opt/ml/input/config, as the platform writes them (shapes in ``schemas/``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sm_contract.platform.tree import Member, directory

HOST = "algo-1"
JOB_NAME = "sm-contract-job"
JOB_ARN = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{JOB_NAME}"
INSTANCE_TYPE = "ml.m5.xlarge"
CHECKPOINTS = "/opt/ml/checkpoints"
CACHE = "/opt/ml/sagemaker/warmpoolcache"
CACHE_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
MADE_UP = "SmContractMadeUpKey"  # of no page and no job: what is unknown is to be ignored

FEATURE_FILES: dict[str, dict[str, str]] = {  # there only while the feature is on
    "checkpointconfig.json": {"LocalPath": CHECKPOINTS},
    "debughookconfig.json": {},
    "profilerconfig.json": {},
    "tensorboardoutputconfig.json": {"LocalPath": "/opt/ml/output/tensorboard"},
}
PLATFORM_FILES: dict[str, dict[str, str]] = {  # seen in real jobs, named by no page
    "init-config.json": {},
    "metric-definition-regex.json": {},
    "trainingjobconfig.json": {},
    "upstreamoutputdataconfig.json": {},
}

WRONG_NAMES = {
    "hyperparameters.json": ("hyperParameters.json", "Hyperparameters.json"),
    "inputdataconfig.json": ("inputDataConfig.json", "InputDataConfig.json"),
    "resourceconfig.json": ("resourceConfig.json", "ResourceConfig.json"),
}


def input_data_config(
    content_types: Mapping[str, str | None], *, undocumented_keys: bool = False
) -> dict[str, dict[str, str]]:
    """One entry a channel; ``ContentType`` is left out where the job gave none."""
    common = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    more = {MADE_UP: "anything"} if undocumented_keys else {}
    return {
        channel: {**({"ContentType": content_type} if content_type else {}), **common, **more}
        for channel, content_type in content_types.items()
    }


def resource_config(interface: str = "eth0", *, undocumented_keys: bool = False) -> dict[str, object]:
    """A single host: the three documented keys, or those that real jobs carry and one more."""
    documented: dict[str, object] = {"current_host": HOST, "hosts": [HOST], "network_interface_name": interface}
    if not undocumented_keys:
        return documented
    group = {"instance_group_name": "homogeneousCluster", "instance_type": INSTANCE_TYPE, "hosts": [HOST]}
    return {
        **documented,
        "current_instance_type": INSTANCE_TYPE,
        "current_group_name": "homogeneousCluster",
        "instance_groups": [group],
        MADE_UP: "anything",
    }


def config_files(
    hyperparameters: Mapping[str, object],
    content_types: Mapping[str, str | None],
    *,
    interface: str = "eth0",
    with_resources: bool = True,
    undocumented_keys: bool = False,
    further: Mapping[str, object] | None = None,
    wrong_names_too: bool = False,
) -> Iterator[Member]:
    """The config folder of a training job, relative to /opt/ml/input; ``further`` files lie beside the core three."""
    files: dict[str, object] = {
        "hyperparameters.json": dict(hyperparameters),
        "inputdataconfig.json": input_data_config(content_types, undocumented_keys=undocumented_keys),
        **(further or {}),
    }
    if with_resources:
        files["resourceconfig.json"] = resource_config(interface, undocumented_keys=undocumented_keys)
    yield directory("config")
    for name, content in files.items():
        data = json.dumps(content).encode()
        for spelling in (name, *(WRONG_NAMES.get(name, ()) if wrong_names_too else ())):
            yield Member(path=f"config/{spelling}", data=data)


def job_environment(user: Mapping[str, str]) -> dict[str, str]:
    """What a training container's environment has besides the image's own."""
    return {**user, "TRAINING_JOB_NAME": JOB_NAME, "TRAINING_JOB_ARN": JOB_ARN}


def failure_reason(failure: str | None, exit_code: int | None) -> str:
    """The words of the job's FailureReason, at most 1,024 characters."""
    return f"AlgorithmError: {failure or ''}, exit code: {exit_code}"[:1024]
