"""A private SQS server: moto, with CloudFormation and IAM, on the loopback address."""

from __future__ import annotations

import contextlib
import itertools
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.processes import Process, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-west-1"
ACCOUNT = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@contextlib.contextmanager
def run_sqs(folder: Path) -> Iterator[Sqs]:
    """Run a server that stores its data in memory.

    Raises:
        AssertionError: The server did not start within 60 s.
    """
    folder.mkdir(parents=True)
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with Process(command, cwd=folder, env=CREDENTIALS, name="moto") as server:
        wait_for_port(port, server.popen, 60)
        yield Sqs(port)


class Sqs:
    """A running private SQS server."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._numbers = itertools.count(1)

    def client(self, service: str) -> Any:
        """Return a client for this server."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def deploy(self, template: str) -> Deployment:
        """Create the queues and policies of a CloudFormation template with a unique prefix."""
        prefix = f"test-{next(self._numbers)}-"
        client = self.client("cloudformation")
        parameters = [{"ParameterKey": "Prefix", "ParameterValue": prefix}]
        client.create_stack(
            StackName=f"{prefix}queues",
            TemplateBody=template,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = client.describe_stacks(StackName=f"{prefix}queues")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        return Deployment(self, prefix, {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]})

    def enforce_policies(self) -> None:
        """Enforce IAM policies from now on."""
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", b"0", headers, method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


class Deployment:
    """The queues and policies of a project."""

    def __init__(self, sqs_server: Sqs, prefix: str, outputs: dict[str, str]) -> None:
        self._sqs = sqs_server
        self._prefix = prefix
        self.outputs = outputs

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables for these queues."""
        return {
            "CELERY_BROKER_URL": "sqs://",
            "AWS_REGION": REGION,
            "SQS_QUEUE_URL_PREFIX": f"{self._sqs.url}/{ACCOUNT}/{self._prefix}",
            "AWS_ENDPOINT_URL_SQS": self._sqs.url,
            **CREDENTIALS,
        }

    def create_credentials(self, policy: str) -> dict[str, str]:
        """Return the environment variables of a new user with one policy, the name of an output of the template."""
        iam = self._sqs.client("iam")
        user = f"{self._prefix}{policy}"
        iam.create_user(UserName=user)
        iam.attach_user_policy(UserName=user, PolicyArn=self.outputs[policy])
        key = iam.create_access_key(UserName=user)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
