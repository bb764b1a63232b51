"""Our Llama against that of transformers: the same logits, and weights both ways."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'glotmill[train]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from safetensors import safe_open  # noqa: E402

from glotmill.trainer.config import ConfigError  # noqa: E402
from glotmill.trainer.model import Llama, document_mask  # noqa: E402
from glotmill.trainer.model_json import config_json, config_of, read_json  # noqa: E402
from glotmill.trainer.weights import init_weights, load_weights, save_weights  # noqa: E402

BASE = {
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "max_position_embeddings": 256,
}
LLAMA_3_SCALING = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    # Short, so that at this head size waves are stretched, blended and left alone.
    "original_max_position_embeddings": 64,
}
SHAPES: dict[str, dict[str, Any]] = {
    "llama2": {**BASE, "rms_norm_eps": 1e-5},
    "llama3": {**BASE, "num_key_value_heads": 2, "rope_parameters": LLAMA_3_SCALING},
    "tied": {**BASE, "num_key_value_heads": 4, "tie_word_embeddings": True},
    "wide heads and biases": {**BASE, "head_dim": 16, "attention_bias": True, "mlp_bias": True},
    "linear": {
        **BASE,
        "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0},
    },
}
TOKENS = (torch.arange(2 * 96).view(2, 96) * 37 + 11) % 160
POSITIONS = torch.arange(96).expand(2, 96)


def theirs(shape: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = transformers.LlamaConfig(**shape, initializer_range=0.1)
    return transformers.LlamaForCausalLM(config).eval()


def ours(folder: Path) -> Llama:
    model = Llama(config_of(read_json(folder)))
    load_weights(model, folder)
    return model.eval()


@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_the_same_bits(name: str, tmp_path: Path) -> None:
    model = theirs(SHAPES[name])
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        wanted = model(TOKENS).logits
        found = ours(tmp_path)(TOKENS, POSITIONS)
    assert wanted.std() > 0.1
    assert torch.equal(found, wanted)


def test_weights_in_several_files(tmp_path: Path) -> None:
    model = theirs(SHAPES["llama3"])
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    with torch.no_grad():
        assert torch.equal(ours(tmp_path)(TOKENS, POSITIONS), model(TOKENS).logits)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("file_bytes", [1 << 30, 60_000])
def test_transformers_reads_what_we_write(name: str, file_bytes: int, tmp_path: Path) -> None:
    config = config_of({**SHAPES[name], "model_type": "llama"})
    model = Llama(config).eval()
    init_weights(model, seed=3)
    save_weights(model, tmp_path, config_json(config), torch.float32, file_bytes=file_bytes)
    read = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(read(TOKENS).logits, model(TOKENS, POSITIONS))
    files = list(tmp_path.glob("*.safetensors"))
    assert len(files) > (file_bytes < 1 << 30)
    for path in files:
        with safe_open(path, "pt") as opened:
            assert opened.metadata() == {"format": "pt"}


def test_masked_documents_are_as_if_alone(tmp_path: Path) -> None:
    theirs(SHAPES["llama3"]).save_pretrained(tmp_path)
    model = ours(tmp_path)
    documents = (torch.arange(96) >= 40).long().expand(2, 96)
    positions = torch.cat([torch.arange(40), torch.arange(56)]).expand(2, 96)
    with torch.no_grad():
        together = model(TOKENS, positions, document_mask(documents, blocks=False))
        alone = [model(part, POSITIONS[:, : part.shape[1]]) for part in TOKENS.split([40, 56], 1)]
    assert torch.allclose(together, torch.cat(alone, 1), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_blocks_hide_what_the_matrix_hides(compiled: bool, tmp_path: Path) -> None:
    """The kernel for a GPU, forwards, as far as it runs on a CPU; alone and in a compiled layer."""
    theirs(SHAPES["llama3"]).save_pretrained(tmp_path)
    model = ours(tmp_path)
    documents = (torch.arange(96) >= 40).long().expand(2, 96).contiguous()
    matrix, blocks = (document_mask(documents, blocks=blocks) for blocks in (False, True))
    with torch.no_grad():
        wanted = model(TOKENS, POSITIONS, matrix)
        if compiled:
            for layer in model.model.layers:
                layer.compile(fullgraph=True)
        assert torch.allclose(model(TOKENS, POSITIONS, blocks), wanted, atol=1e-5)


def test_an_older_config_json() -> None:
    scaling = {key: LLAMA_3_SCALING[key] for key in LLAMA_3_SCALING if key != "rope_theta"}
    older = {**BASE, "model_type": "llama", "rope_theta": 500_000.0, "rope_scaling": scaling}
    newer = {**BASE, "model_type": "llama", "rope_parameters": LLAMA_3_SCALING}
    one, other = config_of(older), config_of(newer)
    assert one.rope_theta == other.rope_theta == 500_000.0
    assert one.rope_scaling["factor"] == other.rope_scaling["factor"] == 8.0


def test_another_architecture() -> None:
    with pytest.raises(ConfigError, match=r"model_type 'gpt_neox'.*model.transformers"):
        config_of({**BASE, "model_type": "gpt_neox"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": None, "vocab_size": None}, "for vocab_size, num_attention_heads$"),
        ({"hidden_size": "64"}, "no whole number above 0 for hidden_size$"),
        ({"num_attention_heads": 0}, "for num_attention_heads$"),
        ({"head_dim": 0, "num_key_value_heads": "2"}, "for num_key_value_heads, head_dim$"),
        ({"rope_scaling": "linear"}, "rope_scaling and rope_parameters of a model are maps"),
        ({"rope_scaling": {"type": "linear"}}, "'linear' wants numbers above 0 for factor$"),
        (
            {"rope_parameters": {**LLAMA_3_SCALING, "factor": "8", "low_freq_factor": 0}},
            "'llama3' wants numbers above 0 for factor, low_freq_factor$",
        ),
        (
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            "for low_freq_factor, high_freq_factor, original_max_position_embeddings$",
        ),
    ],
)
def test_a_config_json_that_lacks_something(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of({**BASE, "model_type": "llama", **changes})


def test_a_config_json_that_is_no_map(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"config.json is damaged: 'list' object is not"):
        read_json(tmp_path)


def test_buffers_that_are_saved_are_in_the_files(tmp_path: Path) -> None:
    """As the bias by which DeepSeek-V3 balances its experts, which no gradient teaches."""
    shape = {**BASE, "num_hidden_layers": 2, "num_attention_heads": 2, "moe_intermediate_size": 16}
    heads = {"kv_lora_rank": 16, "q_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8}
    experts = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1}
    rest = {"v_head_dim": 8, "first_k_dense_replace": 1, "num_key_value_heads": 2}
    config = transformers.DeepseekV3Config(**shape, **heads, **experts, **rest)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    buffers = dict(model.named_buffers())
    (name,) = (each for each in buffers if each.endswith("e_score_correction_bias"))
    buffers[name].copy_(torch.tensor([3.0, -3.0, 1.001, -1.001]))
    save_weights(torch.nn.ModuleDict({"inner": model}), tmp_path, config.to_dict(), torch.bfloat16)
    read, told = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not any(told.values())
    assert torch.equal(dict(read.named_buffers())[name], buffers[name])


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    theirs(SHAPES["llama2"]).save_pretrained(tmp_path)
    config = config_of({**SHAPES["llama2"], "model_type": "llama", "vocab_size": 161})
    with pytest.raises(ConfigError, match="do not fit together"):
        load_weights(Llama(config), tmp_path)
    theirs({**SHAPES["llama2"], "attention_bias": True}).save_pretrained(tmp_path)
    fits = config_of({**SHAPES["llama2"], "model_type": "llama"})
    with pytest.raises(ConfigError, match=r"k_proj.bias .* config.json does not know"):
        load_weights(Llama(fits), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"holds neither model.safetensors nor"):
        load_weights(Llama(config), tmp_path)
