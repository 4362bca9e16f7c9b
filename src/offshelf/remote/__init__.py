"""Objects in buckets and files of web sites: addresses, requests with bounded retries, faults in a sentence."""

from offshelf.remote.clients import About, Client, client
from offshelf.remote.url import Url, is_url

__all__ = ["About", "Client", "Url", "client", "is_url"]
