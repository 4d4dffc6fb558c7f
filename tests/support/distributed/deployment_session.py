"""The server harness of a distributed deployment."""

from __future__ import annotations

from dataclasses import dataclass

from minio import Minio
from pymongo import MongoClient

from shared.documents.s3_address import parse_s3_url
from tests.support.e2e.server_session import ServerHarness


@dataclass(frozen=True)
class DeploymentHarness(ServerHarness):
    """Reads stored data with the engines' own clients."""

    @property
    def documents(self) -> set[str]:
        at = parse_s3_url(self.server.settings["SIMPUL_MINIO"])
        client = Minio(at.endpoint, at.key, at.secret, secure=at.secure, region=at.region)
        unfinished = client._list_multipart_uploads(at.bucket).uploads
        return {str(one.object_name) for one in [*client.list_objects(at.bucket, recursive=True), *unfinished]}

    @property
    def requests(self) -> int:
        with MongoClient[dict[str, object]](self.server.settings["SIMPUL_MONGO"]) as client:
            return client.get_default_database()["intake_documents"].count_documents({})
