"""`config.json` of a Llama 2 or 3, as `transformers` writes and reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from glotmill.trainer.config import ConfigError
from glotmill.trainer.model import SCALINGS, LlamaConfig, is_positive


def read_json(folder: Path) -> dict[str, Any]:
    """The `config.json` in the folder of a model.

    Raises:
        ConfigError: it is not there, or holds no object.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(f"there is no {path}: a model is a folder with config.json and weights")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**content}
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged: {error}") from None


def config_of(content: dict[str, Any]) -> LlamaConfig:
    """What a `config.json` says of what is computed.

    Older versions of `transformers` write `rope_theta` and `rope_scaling`, newer ones
    `rope_parameters`.

    Raises:
        ConfigError: it is of another architecture, or lacks what the model needs.
    """
    kind, activation = content.get("model_type"), content.get("hidden_act", "silu")
    ropes = [content.get(name) or {} for name in ("rope_scaling", "rope_parameters")]
    if not all(isinstance(each, dict) for each in ropes):
        raise ConfigError("rope_scaling and rope_parameters of a model are maps of keys")
    rope = {**ropes[0], **ropes[1]}
    scaling = rope.get("rope_type", rope.get("type", "default"))
    wanted = (kind, activation, scaling in list(SCALINGS))
    if wanted != ("llama", "silu", True):
        found = f"model_type {kind!r}, hidden_act {activation!r}, rope {scaling!r}"
        raise ConfigError(f"this is no Llama 2 or 3 ({found}): give it as model.transformers")
    given = {name: value for name, value in {**content, **rope}.items() if value is not None}
    derived = {"num_key_value_heads", "head_dim"} - given.keys()
    sizes = (each.name for each in fields(LlamaConfig) if each.type == "int")
    needed = (name for name in sizes if name not in derived)
    if wrong := [name for name in needed if not is_positive(given.get(name), int)]:
        raise ConfigError(f"config.json has no whole number above 0 for {', '.join(wrong)}")
    heads = given["num_attention_heads"]
    known = {
        "num_key_value_heads": heads,
        "head_dim": given["hidden_size"] // heads,
        **given,
        "rope_scaling": {**rope, "rope_type": scaling},
    }
    names = (each.name for each in fields(LlamaConfig))
    return LlamaConfig(**{name: known[name] for name in names if name in known})


def config_json(config: LlamaConfig) -> dict[str, Any]:
    """The `config.json` of one of our models, as both older and newer `transformers` read it."""
    rope = config.rope_scaling
    return {
        "architectures": ["LlamaForCausalLM"],
        **asdict(config),
        "model_type": "llama",
        "hidden_act": "silu",
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
        "rope_scaling": rope if rope["rope_type"] != "default" else None,
    }
