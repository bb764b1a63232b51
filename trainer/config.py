"""`train.yaml`: what a person writes about a training run; unknown keys are errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from glotmill.schemas.loading import RecipeError, parse, validated
from glotmill.schemas.model import Model

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Beta = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
_A_MAP = "a train.yaml is a map of keys such as 'data:' and 'model:'"


class ConfigError(Exception):
    """A `train.yaml` that cannot be used; lists what is wrong with it."""


class Shape(Model, allow_inf_nan=False):
    """A new model of the Llama architecture; names are those of `config.json`."""

    hidden_size: Count = 256
    intermediate_size: Count = 688
    num_hidden_layers: Count = 4
    num_attention_heads: Count = 4
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    vocab_size: Count | None = None
    """Rows of the embedding; absent: the tokenizer's size, up to the next multiple of 64."""
    tie_word_embeddings: bool = True
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    rope_scaling: dict[str, Any] | None = None
    initializer_range: float = 0.02


class ModelSource(Model):
    """Where the model comes from: exactly one of the three."""

    path: str | None = None
    """Folder with `config.json` and safetensors of a Llama 2 or 3 model, trained by our code."""
    transformers: str | None = None
    """Name or folder of any other causal language model, trained through `transformers`."""
    shape: Shape | None = None
    """A new model with random weights."""

    @model_validator(mode="after")
    def _one(self) -> ModelSource:
        if sum(each is not None for each in (self.path, self.transformers, self.shape)) != 1:
            raise ValueError("a model has exactly one of path, transformers and shape")
        return self

    @property
    def start(self) -> str | None:
        """Folder or name of the model that training begins with; None of a new one."""
        return self.path or self.transformers


class Batch(Model):
    """How much is learned from in one step."""

    sequences: Count = 64
    """Sequences of a step, over all processes; whatever their number, they are the same ones."""
    micro: Count = 4
    """Sequences that one process takes at once, at most; only memory and speed hang on it."""


class Optimizer(Model, allow_inf_nan=False):
    """AdamW."""

    # 3e-4 gave spikes in the continued pre-training of Llama 3 on 500 languages
    # (EMMA-500 Llama 3, arXiv 2506.00469); 1e-4 did not.
    lr: float = Field(1e-4, gt=0.0)
    """The highest learning rate."""
    betas: tuple[Beta, Beta] = (0.9, 0.95)
    eps: float = Field(1e-8, gt=0.0)
    weight_decay: float = Field(0.1, ge=0.0)
    """Of matrices; norms, biases and embeddings have none."""
    clip: float = Field(1.0, gt=0.0)
    """Largest norm of the gradient."""


class Schedule(Model):
    """The learning rate by step, as a share of `optimizer.lr`."""

    kind: Literal["cosine", "wsd", "constant"] = "cosine"
    warmup_steps: int = Field(100, ge=0)
    """Steps of linear rise; a model that was trained before needs it again (re-warming)."""
    warmup_from: Share = 0.0
    """Where the first rise begins."""
    end: Share = 0.1
    """Where the descent ends."""
    decay_share: Share = 0.2
    """wsd: part of the steps that descends, as 1 - sqrt."""
    restarts: tuple[Count, ...] = ()
    """Steps at which the schedule begins anew, rising from where it is: re-warming of a stage."""


class Validation(Model):
    """Loss on the validation split."""

    every: Count = 500
    """Steps between two of them; one is made before the first step and one after the last."""
    max_sequences: Count = 64
    """Sequences of each dataset, evenly spaced."""
    watch: tuple[str, ...] = ()
    """Categories to watch for forgetting; empty: all, against the first validation."""


class Checkpoints(Model):
    """What is kept of a run."""

    every: Count = 500
    """Steps between two."""
    keep: Count = 3
    """How many of the last stay."""
    asynchronous: bool = True
    """Write while training goes on."""


class Spikes(Model, allow_inf_nan=False):
    """Steps whose loss leaps."""

    action: Literal["log", "skip", "rewind"] = "log"
    """log: note the documents; skip: also leave the update out; rewind: also go back to the last
    checkpoint and leave the batch out."""
    deviations: float = Field(8.0, gt=0.0)
    """A spike lies this many robust standard deviations above the median of the window."""
    window: int = Field(64, ge=8)
    """Steps that a loss is compared with; none is a spike before half of them are there."""
    max_rewinds: Count = 3
    """Rewinds after which the run stops."""


class TrainConfig(Model, allow_inf_nan=False):
    """A training run."""

    data: str
    """`training.yaml` that the mix wrote."""
    out: str
    """Folder of the run: checkpoints, metrics, the model."""
    tokens: Literal["megatron", "parquet", "packed"] = "megatron"
    """Which files of the mix are read: `.bin` and `.idx`, lists of tokens, or packed sequences."""
    model: ModelSource
    sequence_length: Annotated[int, Field(ge=8)] = 2048
    steps: Count | None = None
    """Length of the run; absent: as many as the tokens of the plan make."""
    seed: int = Field(1, ge=0, lt=2**63)
    batch: Batch = Batch()
    mask_documents: bool = True
    """No token sees another document of its sequence, and none is predicted from another."""
    reset_positions: bool = True
    """Positions count from the start of the document."""
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    z_loss: float = Field(0.0, ge=0.0)
    """Weight of the squared log of the softmax's denominator (PaLM, arXiv 2204.02311: 1e-4)."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 with sums in fp32 on a GPU, fp32 on a CPU."""
    activation_checkpointing: bool = False
    """Compute activations of a layer anew in the backward pass, for memory."""
    compile: bool = False
    """torch.compile, layer by layer; on a GPU losses and masks are compiled in any case."""
    deterministic: bool = False
    """Only kernels that give the same bits each time, where there are any; slower on a GPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    log_every: Count = 10
    """Steps between two lines of metrics."""
    tensorboard: bool = True
    """Write TensorBoard's files too, where it is installed."""
    peak_flops: float | None = Field(None, gt=0.0)
    """Of one device, for the utilisation; absent: by its name, where known."""
    validation: Validation = Validation()
    checkpoints: Checkpoints = Checkpoints()
    spikes: Spikes = Spikes()


def load_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Read a `train.yaml`; `data`, `out` and `model.path` are relative to its folder.

    Raises:
        ConfigError: it is not there, not YAML, or not valid; with all problems and their lines.
    """
    name = os.fspath(path)
    try:
        document = parse(name, Path(name).read_text(encoding="utf-8-sig"), _A_MAP)
        config = validated(TrainConfig, document, name, TrainConfig.model_json_schema())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}") from None
    except RecipeError as error:
        raise ConfigError(error) from None
    return _resolved(config, Path(name).resolve().parent)


def _resolved(config: TrainConfig, folder: Path) -> TrainConfig:
    """The configuration with its paths made absolute; a name on the hub stays."""
    model, there = config.model, config.model.transformers
    if model.path is not None:
        model = model.model_copy(update={"path": str(folder / model.path)})
    if there is not None and (folder / there).is_dir():
        model = model.model_copy(update={"transformers": str(folder / there)})
    paths = {key: str((folder / getattr(config, key)).resolve()) for key in ("data", "out")}
    return config.model_copy(update={**paths, "model": model})
