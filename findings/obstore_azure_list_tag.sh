#!/usr/bin/env bash
# The ETag that obstore gives for a blob of Azure has quotes when it is read or asked for, and none when it is listed.
#
# Expected: one tag for one version, so that a blob that was listed can be recognised when it is read, as on S3.
# Happens: Azure's protocol has <Etag>0x…</Etag> in listings and the header ETag: "0x…" in other answers, and obstore passes
# both on as they are. `list` differs from `head`, `get` and `put` for every blob.
# Matters: who keeps the tags of a listing and compares, finds every blob changed, or reads all again in each run. On S3, whose
# listings have the quotes, the same code works. offshelf gives a bare tag its quotes (tests/remote/test_azure.py).
# Seen: obstore 0.12.1 with Azurite 3.37.0. Needs Node.js, for Azurite.
set -euo pipefail
folder=$(mktemp -d); trap 'kill -9 $server 2> /dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir obstore==0.12.1 azure-storage-blob==12.26.0
npm install --silent --prefix "$folder/node" azurite@3.37.0 > /dev/null
"$folder/node/node_modules/.bin/azurite-blob" --inMemoryPersistence --blobPort 26433 --skipApiVersionCheck --disableTelemetry \
  > "$folder/log" 2>&1 & server=$!
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import time

from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobServiceClient
from obstore.store import AzureStore

print("obstore", importlib.metadata.version("obstore"))
# The account that Azurite has by default, whose key is in its documentation.
account = "devstoreaccount1"
key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
endpoint = f"http://127.0.0.1:26433/{account}"
for _ in range(100):
    try:
        BlobServiceClient(endpoint, credential=key, retry_total=0).create_container("set")
        break
    except ServiceRequestError:
        time.sleep(0.2)
store = AzureStore("set", account_name=account, account_key=key, endpoint=endpoint, client_options={"allow_http": True})
put = store.put("a/b.txt", b"hello", use_multipart=False)["e_tag"]
head, read = store.head("a/b.txt")["e_tag"], store.get("a/b.txt").meta["e_tag"]
((listed,),) = [[one["e_tag"] for one in page] for page in store.list("a")]
print("put", put, "head", head, "get", read, "list", listed)
assert put == head == read == f'"{listed}"'
PYTHON
