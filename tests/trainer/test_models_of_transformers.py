"""Models of other architectures see the tokens that they see when `transformers` calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402
from token_corpus import write_corpus  # noqa: E402

from glotmill.trainer.build import Transformers  # noqa: E402
from glotmill.trainer.config import ConfigError, TrainConfig  # noqa: E402
from glotmill.trainer.loop import Trainer  # noqa: E402
from glotmill.trainer.model import document_mask  # noqa: E402
from glotmill.trainer.world import World  # noqa: E402

Make = Callable[..., TrainConfig]
LENGTH = 48
SHAPE = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
OLD_SHAPE = {"vocab_size": 96, "hidden_size": 32, "n_head": 4, "n_layer": 2}
CONFIGS = {
    "scores that masks are added to": ("LlamaConfig", {"attn_implementation": "eager"}),
    "a window": ("MistralConfig", {"sliding_window": 10}),
    "windows in some layers": ("Gemma2Config", {"sliding_window": 10}),
    "windows in all layers": (
        "Gemma3TextConfig",
        {"sliding_window": 10, "layer_types": ["sliding_attention"] * 2},
    ),
    "layers of one kind": ("Qwen2Config", {}),
    "learned positions": ("GPT2Config", {"n_positions": LENGTH}),
    "slopes instead of positions": ("MptConfig", {"d_model": 32, "n_heads": 4, "n_layers": 2}),
}


def saved(folder: Path, kind: str, **options: Any) -> str:
    """A folder with a random model."""
    old = kind in ("GPT2Config", "MptConfig", "BloomConfig", "MambaConfig")
    config = getattr(transformers, kind)(**{**(OLD_SHAPE if old else SHAPE), **options})
    torch.manual_seed(1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    if attention := options.get("attn_implementation"):
        path = folder / "config.json"
        path.write_text(
            path.read_text().replace("{", f'{{"attn_implementation": "{attention}",', 1)
        )
    return str(folder)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_token_sees(name: str, tmp_path: Path) -> None:
    kind, options = CONFIGS[name]
    folder = saved(tmp_path, kind, **options)
    inner = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = Transformers(inner, torch.float32)
    tokens = torch.arange(2 * LENGTH).reshape(2, LENGTH).mul(7).remainder(96)
    half = LENGTH // 2
    whole, reset = torch.arange(LENGTH).expand(2, -1), torch.arange(half).repeat(2, 2)
    documents = (torch.arange(LENGTH) >= half).int().expand(2, -1)
    with torch.no_grad():
        plain = inner(input_ids=tokens, use_cache=False).logits
        parts = [inner(input_ids=part, use_cache=False).logits for part in tokens.split(half, 1)]
        torch.testing.assert_close(model(tokens, whole), plain)
        masked = model(tokens, reset, document_mask(documents, blocks=False))
        torch.testing.assert_close(masked, torch.cat(parts, 1), atol=1e-5, rtol=1e-5)
        # Positions that are reset do not hide anything by themselves.
        together = model(tokens, reset, document_mask(torch.zeros_like(documents), blocks=False))
        torch.testing.assert_close(model(tokens, reset), together)
        changed = tokens.clone()
        changed[:, -1] += 1
        assert torch.equal(model(changed % 96, whole)[:, :-1], plain[:, :-1])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("BloomConfig", {}, "cannot be trained: too many values to unpack"),
        ("MambaConfig", {}, "cannot be trained: layers of linear_attention take no masks .'mask_"),
        ("GPT2Config", {"n_positions": 16}, "cannot be trained: index out of range"),
    ],
)
def test_a_model_that_cannot_be_called_so(
    kind: str,
    options: dict[str, Any],
    message: str,
    make_config: Make,
    world: World,
    tmp_path: Path,
) -> None:
    folder = saved(tmp_path / "model", kind, **options)
    with pytest.raises(ConfigError, match=message):
        Trainer(make_config(model={"transformers": folder}), world)


def test_a_sequence_too_long_for_a_model_without_masks(
    make_config: Make, world: World, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model", "GPT2Config", n_positions=300)
    options = {"mask_documents": False, "reset_positions": False, "sequence_length": 400}
    with pytest.raises(ConfigError, match="cannot be trained: index out of range"):
        Trainer(make_config(model={"transformers": folder}, **options), world)


@pytest.mark.parametrize("kind", ["BloomConfig", "MambaConfig"])
def test_any_model_trains_without_masks(
    kind: str, make_config: Make, world: World, tmp_path: Path
) -> None:
    folder = saved(tmp_path / "model", kind)
    options = {"mask_documents": False, "reset_positions": False, "steps": 3}
    trainer = Trainer(make_config(model={"transformers": folder}, **options), world)
    assert trainer.run() == "finished"
    transformers.AutoModelForCausalLM.from_pretrained(Path(trainer.config.out) / "model")


def test_a_model_with_a_tensor_missing(make_config: Make, world: World, tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", "Qwen2Config")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(ConfigError, match=r"no tensor model.layers.1.mlp.up_proj.weight \(1 are"):
        Trainer(make_config(model={"transformers": folder}), world)


@pytest.fixture
def on_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model that is known by the name some/model, and kept without a network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kept = tmp_path / "hub" / "models--some--model"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    folder = kept / "snapshots" / ("0" * 40)
    saved(folder, "Qwen2Config")
    return folder


def test_what_lies_beside_a_model_of_the_hub(
    on_hub: Path, make_config: Make, world: World, tmp_path: Path
) -> None:
    data = write_corpus(tmp_path / "corpus", count=60)
    made = json.dumps({"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": []})
    (data.parent / "tokenizer.json").write_text(made)
    config = make_config(data=str(data), model={"transformers": "some/model"}, steps=1)
    transformers.GenerationConfig(eos_token_id=[7, 9]).save_pretrained(on_hub)
    (on_hub / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"b": 0, "a": 1}}}))
    with pytest.raises(ConfigError, match=r"/tokenizer.json numbers its pieces otherwise"):
        Trainer(config, world)
    (on_hub / "tokenizer.json").unlink()
    Trainer(config, world).run()
    model = transformers.AutoModelForCausalLM.from_pretrained(Path(config.out) / "model")
    assert model.generation_config.eos_token_id == [7, 9]


def test_a_model_that_the_hub_does_not_know(make_config: Make, world: World, on_hub: Path) -> None:
    with pytest.raises(ConfigError, match=r"model.transformers: some/other cannot be trained"):
        Trainer(make_config(model={"transformers": "some/other"}), world)
