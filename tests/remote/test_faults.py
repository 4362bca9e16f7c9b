"""What obstore says, in a sentence: texts of its release 0.12.1."""

import pytest

from offshelf.errors import RemoteError
from offshelf.remote import Url
from offshelf.remote.faults import ChangedError, GoneError, bucket_fault

URL = Url.of("s3://bucket/photos")


def failed(name, text):
    """The fault of an exception of this class."""
    return bucket_fault(URL, type(name, (Exception,), {})(text))


@pytest.mark.parametrize(("name", "text", "fault", "said"), [
    ("InvalidPathError", 'Error parsing Path "a\nb": Encountered illegal character sequence "\n"', RemoteError,
     "has keys below photos that obstore does not read, with line breaks"),
    ("GenericError", "Error performing PUT http://169.254.169.254/latest/api/token in 3s, after 3 retries", RemoteError,
     "There are no credentials for s3://bucket in the environment: AWS_ACCESS_KEY_ID"),
    ("GenericError", "Received redirect without LOCATION, this normally indicates an incorrectly configured region",
     RemoteError, "s3://bucket is in another region: set AWS_REGION"),
    ("GenericError", "Error performing GET http://x in 9s, after 8 retries - HTTP error: error sending request\n"
     "kind: Timeout", RemoteError, r"does not answer, or breaks off 9 times \(timeout\)"),
    ("GenericError", "status code: 400 Bad Request: <Code>RequestTimeTooSkewed</Code>", RemoteError, "clock"),
    ("PreconditionError", "status code: 412 Precondition Failed", ChangedError, "was changed while it was in use"),
    ("NotFoundError", "status code: 404 Not Found: <Code>NoSuchKey</Code>", GoneError, "photos does not exist"),
    ("NotFoundError", "status code: 404 Not Found: <Code>NoSuchBucket</Code>", RemoteError, "There is no bucket"),
    ("UnauthenticatedError", "status code: 401 Unauthorized", RemoteError, "refuses access to s3://bucket/photos"),
    ("GenericError", "status code: 501 Not Implemented", RemoteError, r"has failed \(501 Not Implemented\)"),
])  # fmt: skip
def test_a_sentence(name, text, fault, said):
    with pytest.raises(fault, match=said) as error:
        raise failed(name, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("scheme", "variable"), [("gs", "GOOGLE_APPLICATION"), ("az", "AZURE_STORAGE_ACCOUNT_NAME")])
def test_credentials_of_other_clouds(scheme, variable):
    error = type("UnauthenticatedError", (Exception,), {})("status code: 403 Forbidden")
    assert variable in str(bucket_fault(Url.of(f"{scheme}://place/photos"), error))
