"""The Content-Security-Policy of the page: its own scripts and styles, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

#: What Observable Plot 0.6.17 writes into the `<style>` of each chart, byte for byte.
PLOT_STYLE = """:where(.plot-d6a7b5) {
  --plot-background: white;
  display: block;
  height: auto;
  height: intrinsic;
  max-width: 100%;
}
:where(.plot-d6a7b5 text),
:where(.plot-d6a7b5 tspan) {
  white-space: pre;
}"""


def hash_source(text: str) -> str:
    """The CSP source expression of an inline script or style.

    >>> hash_source("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def content_security_policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """The policy: no network, no frames, no forms, no evaluated strings.

    Args:
        scripts: text of each inline script.
        styles: text of each inline style, those that scripts add included.
    """
    directives = {
        "default-src": "'none'",
        "script-src": " ".join(map(hash_source, scripts)),
        "style-src": " ".join(map(hash_source, styles)),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())
