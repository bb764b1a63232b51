"""Files of the Hugging Face hub: `hf://owner/name/file` to a path."""

from __future__ import annotations


class HubError(Exception):
    """A file of the hub that cannot be had; the message says why and what to do."""


def fetched_from_hub(uri: str) -> str:
    """The path of a file of the hub, fetched where it is not in the cache.

    Args:
        uri: `hf://owner/name/file`.

    Raises:
        HubError: it is no such address, the package is missing, or the hub does not give it.
    """
    owner, _, rest = uri.removeprefix("hf://").partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name and file):
        raise HubError(f"{uri}: write hf://owner/name/file")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise HubError(f"{uri} needs the extra: pip install 'glotmill[hub]'") from None
    try:
        return str(hf_hub_download(f"{owner}/{name}", file))
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise HubError(f"{uri} cannot be fetched: {error}") from None
